"""Reader of band files: `a.tif;b.tif`, or a folder or pattern with one file for each band.

A band's file has no other band but alpha. It is found in this order: by `sensors.*.files`; by the band's name in the
file names (`B04`, `VV`; for common names also Sentinel-2's: red is B04); for several files in one cell, by their order.

The metadata are the files' own tags. Files with names of Sentinel-2 images exist with and without the offset of
processing baseline 04.00, so without a setting they are refused (`offsets`).
"""

import contextlib
import datetime
import fnmatch
import re

from clairemap.artefacts.scene_sources import SourceFacts
from clairemap.errors import BandCountError, MissingFileError
from clairemap.sources.cells import Cell
from clairemap.sources.product import BandFile, Evidence, Product, plain_name
from clairemap.sources.sentinel2_bands import BANDS, IMAGE_NAME, UNIT, names_of
from clairemap.sources.wanted import Wanted

NOT_IMAGES = re.compile(
    r"\.(xml|json|geojson|txt|csv|html?|pdf|md5|aux|ovr|msk|tfw|jgw|j2w|wld|prj|hdr|png|km[lz]|gpkg|shp|dbf|shx)$", re.I
)
"""Endings of files that are not bands."""

DAY = re.compile(r"(?:^|_)((?:19|20)\d{6})(?:T\d{6})?(?=_|\.)")
NODATA = 0.0
MAX_SHOWN = 4


def knows(cell: Cell) -> bool:
    """Whether the cell names files, or a folder or archive with files: the last resort of all readers."""
    return cell.kind in ("files", "folder", "archive")


def files(cell: Cell, wanted: Wanted) -> tuple[str, ...]:
    """Return the files of the wanted bands; all files of the cell if it is not clear which these are."""
    if wanted.role == "cloud":
        return ()
    try:
        return tuple(dict.fromkeys(_by_band(cell, wanted).values())) or cell.names
    except (BandCountError, MissingFileError):
        return cell.names


def read(cell: Cell, wanted: Wanted) -> Product:
    """Return the product made of the cell's files; it has no cloud mask.

    Raises:
        BandCountError: a band has no file, or several.
        MissingFileError: the cell contains no file.
    """
    if wanted.role == "cloud":
        return Product("band_files", ())
    found = _by_band(cell, wanted)
    if found:
        bands = tuple(_band(file, name) for name, file in found.items())
        return Product("band_files", bands, facts=_facts(bands))
    if cell.kind != "files":
        shown = ", ".join(cell.names[:MAX_SHOWN]) + (", ..." if len(cell.names) > MAX_SHOWN else "")
        raise BandCountError(
            f"{cell.text}: which of its {len(cell.names)} file(s) are the bands {', '.join(wanted.bands)}? It contains "
            f"{shown}; name the file of each band in sensors.{wanted.role}.files, for example "
            f'{{{wanted.bands[0]}: "*_{wanted.bands[0]}.tif"}}'
        )
    raise BandCountError(
        f"{cell.text}: {len(cell.names)} file(s), but sensors.{wanted.role}.bands lists {len(wanted.bands)} "
        f"({', '.join(wanted.bands)}); name one file for each band, in this order, or use sensors.{wanted.role}.files"
    )


def _by_band(cell: Cell, wanted: Wanted) -> dict[str, str]:
    """Return the file of each wanted band, by patterns or by names; empty if no name contains a band's."""
    images = [name for name in cell.names if not NOT_IMAGES.search(name)]
    if not images:
        raise MissingFileError(f"{cell.text}: no file matches; correct the path or pattern in the sample sheet")
    found: dict[str, str] = {}
    for band in wanted.bands:
        pattern = wanted.patterns.get(band)
        matching = _matching(images, pattern) if pattern else [name for name in images if is_named(name, band)]
        if pattern and not matching:
            raise BandCountError(
                f"{cell.text}: no file matches {pattern!r}, the pattern of band {band} in sensors.{wanted.role}.files"
            )
        if len(matching) > 1:
            raise BandCountError(
                f"{cell.text}: {len(matching)} files could be band {band}: {', '.join(matching[:MAX_SHOWN])}; name one "
                f"in sensors.{wanted.role}.files"
            )
        if matching:
            found[band] = matching[0]
    if _is_in_order(cell, wanted, found):
        return dict(zip(wanted.bands, cell.names, strict=True))
    if 0 < len(found) < len(wanted.bands):
        absent = [band for band in wanted.bands if band not in found]
        raise BandCountError(
            f"{cell.text}: no file for band {', '.join(absent)} (found: "
            f"{', '.join(f'{band} in {file}' for band, file in found.items())}); name its file in "
            f"sensors.{wanted.role}.files, or correct sensors.{wanted.role}.bands"
        )
    return found


def _is_in_order(cell: Cell, wanted: Wanted, found: dict[str, str]) -> bool:
    """Whether a cell names one file for each band and no name contradicts the order of the settings."""
    if cell.kind != "files" or len(cell.names) != len(wanted.bands):
        return False
    return all(cell.names[wanted.bands.index(band)] == file for band, file in found.items())


def _matching(names: list[str], pattern: str) -> list[str]:
    """Return the files whose name, or path in the cell, matches a pattern."""
    return [name for name in names if fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(_base(name), pattern)]


def is_named(file: str, band: str) -> bool:
    """Whether a band's name, or Sentinel-2's for it, is a part of a file's name (between `_`, `-`, `.`)."""
    parts = {plain_name(part) for part in re.split(r"[_.\-]", _base(file))}
    names = {plain_name(band)} | {plain_name(name) for key in BANDS for name in names_of(key) if _same(band, key)}
    return bool(parts & names)


def _same(band: str, key: str) -> bool:
    return plain_name(band) in {plain_name(name) for name in names_of(key)}


def _base(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _band(file: str, name: str) -> BandFile:
    """Return a band; images of Sentinel-2 have no tag of nodata, and it is not certain whether they have an offset."""
    own = _base(file)
    if not IMAGE_NAME.search(own):
        return BandFile(file, (name,), is_only=True)
    evidence = Evidence("unknown", f"{own} has the name of a Sentinel-2 image")
    return BandFile(file, (name,), evidence=(evidence,), unit=UNIT, nodata=NODATA, nodata_in_any=True, is_only=True)


def _facts(bands: tuple[BandFile, ...]) -> SourceFacts:
    """Return the day that the names of all files contain, as Sentinel-1's and Sentinel-2's do."""
    days = {match[1] if (match := DAY.search(_base(band.file))) else "" for band in bands}
    day = days.pop() if len(days) == 1 else ""
    with contextlib.suppress(ValueError):
        return SourceFacts(acquired=datetime.date.fromisoformat(day))
    return SourceFacts()
