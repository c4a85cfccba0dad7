"""Reader of one raster behind an address, a virtual path or a subdataset name of GDAL: bands by `sensors.*.indexes`."""

from pathlib import Path

from clairemap.cell_text import is_gdal_name, items
from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.paths import path_exists
from clairemap.raster.members import local_file
from clairemap.raster.remote_names import address, is_remote
from clairemap.sources.cells import ARCHIVES, Cell
from clairemap.sources.product import BandFile, MaskFile, Product
from clairemap.sources.wanted import Wanted


def knows(cell: Cell) -> bool:
    """Whether the cell is such a name."""
    return cell.kind == "remote"


def files(cell: Cell, _wanted: Wanted) -> tuple[str, ...]:
    """Return the local file behind the name; none for files on servers."""
    file = local_path(cell.text)
    return () if file is None else (str(file),)


def local_path(name: str) -> Path | None:
    """Return the local file behind a path, virtual path or subdataset name; None if it is on a server."""
    return None if is_remote(name) else local_file(name) if is_gdal_name(name) else Path(name)


def read(cell: Cell, wanted: Wanted) -> Product:
    """Return a product with the bands of the settings, in the order of the file or of `sensors.*.indexes`.

    Raises:
        MissingFileError: a local file behind the name does not exist.
        UnreadableFileError: the address is that of an archive, or labels are several files.
    """
    place = address(cell.text)
    if Path(place).suffix.lower() in ARCHIVES:
        raise UnreadableFileError(
            f"{place}: products on servers are not read; download the archive and name the file, or name the product's "
            "STAC item"
        )
    if len(items(cell.text)) > 1:  # only labels: other cells of several files have another reader
        raise UnreadableFileError(
            f"{place}: the column label names one raster; join the files, for example by gdalbuildvrt"
        )
    if (file := local_path(cell.text)) is not None and not path_exists(file):
        raise MissingFileError(f"{cell.text}: {file} does not exist; use its absolute path, or provide the file")
    name = Path(place).name
    if wanted.role in ("label", "cloud"):
        return Product("remote_raster", (), {wanted.role: MaskFile(name, None)})
    numbers = wanted.indexes or range(1, len(wanted.bands) + 1)
    count = None if wanted.indexes else len(wanted.bands)
    bands = (BandFile(name, (band,), number, count=count) for band, number in zip(wanted.bands, numbers, strict=True))
    return Product("remote_raster", tuple(bands))
