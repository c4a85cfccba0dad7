"""The table of readers: which one reads a cell, and which local files are behind it.

To add a product reader, write a module with three functions and add a line to `READERS`:

- ``knows(cell) -> bool``: whether the cell is such a product, by kind and names only.
- ``files(cell, wanted) -> tuple[str, ...]``: references of the local files that can change the result: metadata, and
  images of the wanted bands. Called while Snakemake plans: names only, no raster is opened, no network. A file too
  many only costs a rerun; a missing one hides a change. Archives and single files do not call it.
- ``read(cell, wanted) -> Product``: called in the job. Reads metadata and reports all evidence; opens no raster. It
  checks that the metadata's files are there and complete, and raises errors that name file and remedy.

The first reader that knows a cell reads it. Names of bands, pixel grids, resampling, offsets, nodata and the virtual
raster are the same for all readers (`resolve`, `offsets`, `virtual`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clairemap.cell_text import items
from clairemap.errors import UnreadableFileError
from clairemap.raster.remote_names import is_remote
from clairemap.sources import band_files, landsat, remote_raster, sentinel2, stac_item
from clairemap.sources.cells import Cell
from clairemap.sources.product import Product
from clairemap.sources.wanted import Wanted


@dataclass(frozen=True)
class Reader:
    """A reader: its name and its three functions, see the module."""

    name: str
    knows: Callable[[Cell], bool]
    files: Callable[[Cell, Wanted], tuple[str, ...]]
    read: Callable[[Cell, Wanted], Product]


READERS: tuple[Reader, ...] = (
    Reader("sentinel2", sentinel2.knows, sentinel2.files, sentinel2.read),
    Reader("landsat", landsat.knows, landsat.files, landsat.read),
    Reader("stac_item", stac_item.knows, stac_item.files, stac_item.read),
    Reader("remote_raster", remote_raster.knows, remote_raster.files, remote_raster.read),
    Reader("band_files", band_files.knows, band_files.files, band_files.read),
)
"""All readers; the most specific first."""


def reader_of(cell: Cell) -> Reader:
    """Return the reader of a cell.

    Raises:
        UnreadableFileError: none knows the cell; the message says what a cell may be.
        MissingFileError: there is no such folder or archive.
    """
    for reader in READERS:
        if reader.knows(cell):
            return reader
    shown = ", ".join(cell.names[:3]) or "no files"
    raise UnreadableFileError(
        f"{cell.text}: not a supported product (it contains {shown}); name the files of its bands in "
        f'sensors.{cell.role}.files, for example {{red: "*_B04_*.tif"}}, or name one raster with all bands'
    )


def read_product(cell: Cell, wanted: Wanted) -> Product:
    """Return the product in a cell, with all its bands and masks.

    Raises:
        ClairemapError: no reader knows the cell, or its metadata or files have faults.
    """
    return reader_of(cell).read(cell, wanted)


def local_files(cell: Cell, wanted: Wanted) -> dict[str, Path]:
    """Return the local files behind a cell by reference; none for what is on servers. Of items the JSON file is read.

    Missing folders and folders that no reader knows have themselves as file: the job reports them.
    """
    if cell.kind == "files":
        named = zip(cell.names, map(remote_raster.local_path, items(cell.text)), strict=True)
        return {name: path for name, path in named if path is not None}
    if cell.kind == "folder":
        chosen = _names_of(cell, wanted)
        return {cell.base.name: cell.base} if chosen is None else {name: Path(cell.located(name)) for name in chosen}
    if cell.kind == "item" and not is_remote(cell.text):
        return {name: Path(cell.located(name)) for name in stac_item.files(cell, wanted)}
    if cell.kind == "remote":
        return {Path(file).name: Path(file) for file in remote_raster.files(cell, wanted)}
    return {Path(cell.text).name: Path(cell.text)} if cell.kind in ("archive", "raster") else {}


def _names_of(cell: Cell, wanted: Wanted) -> tuple[str, ...] | None:
    if not cell.base.is_dir():
        return None
    reader = next((reader for reader in READERS if reader.knows(cell)), None)
    return None if reader is None else reader.files(cell, wanted)
