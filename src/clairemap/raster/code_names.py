"""Names of the codes in a raster: categories, attribute table, colours of its colour table."""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import pyogrio
from pyogrio.errors import DataSourceError
from rasterio.errors import RasterioError

from clairemap.classes import source_key
from clairemap.raster.opening import copy_raster, open_raster
from clairemap.raster.remote_files import read_error
from clairemap.raster.remote_names import address
from clairemap.raster.unsupported import check_exists, open_error, written_name
from clairemap.raster.virtual_raster import Raster, VirtualRaster

TEXT_TYPE = "2"
"""Type of text columns in GDAL's attribute tables."""

CODE_USAGE = "5"
"""Usage of columns with codes in GDAL's attribute tables (MinMax)."""

Named = Iterator[tuple[str, int]]


def codes_of_names(raster: Raster) -> Mapping[str, tuple[int, ...]]:
    """Return the codes of each name that a raster's first band declares, by `classes.source_key`.

    Names are those of its categories, all text columns of its attribute table (also ``.vat.dbf`` beside it), and
    ``#rrggbb`` of each colour in its colour table. A name can belong to several codes. Of files on servers only tables
    in the file itself count.

    Raises:
        UnreadableFileError, MissingFileError, RemoteFileError: the raster cannot be read.
    """
    codes: dict[str, set[int]] = {}
    for name, code in _names(raster):
        if key := source_key(name):
            codes.setdefault(key, set()).add(code)
    return {name: tuple(sorted(found)) for name, found in codes.items()}


def _names(raster: Raster) -> Named:
    if isinstance(raster, VirtualRaster):
        file = ElementTree.fromstring(raster.xml).findtext(".//SourceFilename", "")
        try:
            yield from _declared(file)
        except RasterioError as error:
            raise read_error(address(written_name(raster.path)), error) from None
        return
    check_exists(raster)
    try:
        yield from _declared(raster)
    except RasterioError as error:
        raise open_error(raster, error) from None
    yield from _beside(raster)


def _declared(path: Path | str) -> Named:
    """Yield names and codes as GDAL knows them: a virtual raster of the file has all of them as XML."""
    with tempfile.TemporaryDirectory() as folder:
        virtual = Path(folder) / "names.vrt"
        with open_raster(path) as dataset:
            copy_raster(dataset, virtual, driver="VRT")
        band = ElementTree.parse(virtual).getroot().find("VRTRasterBand")
    if band is None:
        return
    for code, category in enumerate(band.iterfind("CategoryNames/Category")):
        yield category.text or "", code
    for code, entry in enumerate(band.iterfind("ColorTable/Entry")):
        yield "#" + "".join(f"{int(entry.get(part, 0)):02x}" for part in ("c1", "c2", "c3")), code
    table = band.find("GDALRasterAttributeTable")
    if table is not None:
        yield from _table_names(table)


def _table_names(table: ElementTree.Element) -> Named:
    defined = table.iterfind("FieldDefn")
    columns = [(item.findtext("Name", ""), item.findtext("Type"), item.findtext("Usage")) for item in defined]
    numbers = [place for place, (_, kind, _) in enumerate(columns) if kind != TEXT_TYPE]
    by_name = [place for place in numbers if columns[place][0].lower() == "value"]
    by_usage = [place for place in numbers if columns[place][2] == CODE_USAGE]
    value = next(iter(by_usage + by_name), None)
    texts = [place for place, (_, kind, _) in enumerate(columns) if kind == TEXT_TYPE]
    for number, row in enumerate(table.iterfind("Row")):
        cells = [cell.text or "" for cell in row.iterfind("F")]
        code = number if value is None else int(float(cells[value]))  # without such a column, rows are codes
        for place in texts:
            yield cells[place], code


def _beside(path: Path) -> Named:
    """Yield names and codes of an attribute table for ArcGIS, ``NAME.tif.vat.dbf``."""
    table = path.with_name(f"{path.name}.vat.dbf")
    if not table.is_file():
        return
    try:
        description, _, _, columns = pyogrio.raw.read(table, read_geometry=False)
    except DataSourceError as error:
        raise open_error(table, error) from None
    by_name = dict(zip(map(str.lower, description["fields"]), columns, strict=True))
    if "value" not in by_name:
        return
    for name, values in by_name.items():
        if name != "value" and values.dtype == object:
            for text, code in zip(values, by_name["value"], strict=True):
                yield str(text or ""), int(code)
