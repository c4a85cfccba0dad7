"""A cell of the sample sheet, by role: which kind it is and which local files are behind it. Nothing is opened.

| kind | cell | parsed by |
|---|---|---|
| raster | one raster; a virtual raster (VRT), an ESRI grid | no reader: opened as it is |
| files | `a.tif;b.tif` | `band_files` |
| folder | a folder, such as a Sentinel-2 product (`.SAFE`); a pattern, `data/*_10m.jp2` | first reader that knows it |
| archive | a product as `.zip`, `.tar` | first reader that knows its content |
| item | a STAC item: a file or address that ends in `.json` or `.geojson`, or is an item of an API | `stac_item` |
| remote | an address or a virtual path of GDAL: `https://`, `s3://`, `gs://`, `/vsi…/`, `NETCDF:…` | `remote_raster` |

Only `raster` cells are opened directly by the stages. A scene with any other cell gets the rule resolve_scene.
"""

import fnmatch
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from clairemap.artefacts.scene_sources import RoleName
from clairemap.cell_text import PATTERN, is_gdal_name, is_pattern, items
from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.raster.remote_names import address, gdal_name
from clairemap.raster.vector_cells import is_vector
from clairemap.sources.listing import names_in

Role = RoleName
Kind = Literal["raster", "files", "folder", "archive", "item", "remote"]

ITEMS = (".json", ".geojson")
ESRI_GRID = "hdr.adf"
ARCHIVES = {".zip": "/vsizip/", ".tar": "/vsitar/"}
"""Endings of archives, and GDAL's prefix of paths in them."""
MAX_DEPTH = 6
"""Folders deeper than this are not searched: Sentinel-2's images are four levels deep."""


@dataclass(frozen=True)
class Cell:
    """A cell of the sheet: role, text with expanded paths, and kind."""

    role: Role
    text: str
    kind: Kind

    @property
    def is_resolved(self) -> bool:
        """Whether the rule resolve_scene reads the cell."""
        return self.kind != "raster"

    @property
    def base(self) -> Path:
        """Folder, archive or file where references start; not for cells of several files."""
        return Path(_fixed_part(self.text))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """References of all files in the cell, sorted (several files: in the order of the sheet).

        Folders are listed without opening files; an archive is opened for its list. Empty for items and remote cells.

        Raises:
            MissingFileError: there is no such folder or archive.
            UnreadableFileError: the archive is truncated or damaged.
        """
        if self.kind == "files":
            named = ((number, Path(address(item)).name) for number, item in enumerate(items(self.text), start=1))
            return tuple(f"{number}/{name}" for number, name in named)
        if self.kind == "folder":
            return tuple(sorted(_listed(self.text)))
        if self.kind == "archive":
            return _archived(Path(self.text))
        return (Path(self.text).name,) if self.kind == "raster" else ()

    def located(self, reference: str) -> str:
        """Return what GDAL opens for a reference: a path, a virtual path within an archive, or a (signed) address."""
        if is_gdal_name(reference):
            return gdal_name(reference)
        if self.kind == "files":
            return gdal_name(items(self.text)[int(reference.split("/")[0]) - 1])
        if self.kind == "item":
            return str(Path(self.text).parent / reference)
        if self.kind == "archive":
            return f"{ARCHIVES[Path(self.text).suffix.lower()]}{self.text}/{reference}"
        return str(self.base / reference) if self.kind == "folder" else gdal_name(self.text)


def cell_of(role: Role, text: str) -> Cell:
    """Return the cell of a role. `text` has expanded paths (`cell_text.expanded_cell`). Looks at names only."""
    return Cell(role, text, _kind(role, text))


def _kind(role: Role, text: str) -> Kind:
    lower = text.lower()
    if role == "label":
        # Labels are one raster; vector files have the rule burn_labels.
        return "remote" if is_gdal_name(text) and not is_vector(Path(text)) else "raster"
    if len(items(text)) > 1:
        return "files"
    if is_gdal_name(text):
        return "item" if _names_item(lower) else "remote"
    if is_pattern(text):
        return "folder"
    if lower.endswith(ITEMS):
        return "item"
    if Path(lower).suffix in ARCHIVES:
        return "archive"
    return "folder" if _is_plain_folder(text) else "raster"


def _names_item(address: str) -> bool:
    """Whether a lower-case address is that of a STAC item: a `.json` file, or an item of a STAC API."""
    path = address.split("?")[0]
    return path.endswith(ITEMS) or re.search(r"/collections/[^/]+/items/[^/]+$", path) is not None


def _is_plain_folder(text: str) -> bool:
    """Whether a path is a folder that GDAL does not open as one raster."""
    return os.path.isdir(text) and not os.path.exists(os.path.join(text, ESRI_GRID))  # noqa: PTH110, PTH112, PTH118


def _fixed_part(text: str) -> str:
    """Return the folder of a pattern, up to the first part with a wildcard; other texts stay."""
    if not is_pattern(text):
        return text
    parts = Path(text).parts
    first = next(number for number, part in enumerate(parts) if PATTERN.search(part))
    return str(Path(*parts[:first])) if first else "."


def _listed(text: str) -> Iterator[str]:
    """Yield the references of the files in a folder or of a pattern; ``**`` matches any number of folders."""
    base = Path(_fixed_part(text))
    if not base.is_dir():
        raise MissingFileError(f"{text}: there is no folder {base}; correct the path in the sample sheet")
    wanted = Path(text).relative_to(base).parts if is_pattern(text) else ("**",)
    yield from _matching(base, "", wanted, MAX_DEPTH)


def _matching(folder: Path, prefix: str, wanted: tuple[str, ...], depth: int) -> Iterator[str]:
    if not wanted or not depth:
        return
    first, *rest = wanted
    listed = names_in(folder)
    if first == "**":
        if rest:
            yield from _matching(folder, prefix, tuple(rest), depth)
        for name in listed.folders:
            yield from _matching(folder / name, f"{prefix}{name}/", wanted, depth - 1)
        if not rest:
            yield from (prefix + name for name in listed.files)
    elif rest:
        for name in fnmatch.filter(listed.folders, first):
            yield from _matching(folder / name, f"{prefix}{name}/", tuple(rest), depth - 1)
    else:
        yield from (prefix + name for name in fnmatch.filter(listed.files, first))


def _archived(path: Path) -> tuple[str, ...]:
    if not path.exists():
        raise MissingFileError(f"{path}: no such file; correct the path in the sample sheet or provide the file")
    try:
        if zipfile.is_zipfile(path) or path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                return tuple(sorted(name for name in archive.namelist() if not name.endswith("/")))
        with tarfile.open(path, "r:") as tape:
            return tuple(sorted(member.name for member in tape if member.isfile()))
    except (zipfile.BadZipFile, tarfile.TarError, OSError) as error:
        raise UnreadableFileError(f"{path}: truncated or damaged archive ({error}); download it again") from None
