"""The files that GDAL reads with a raster: sidecar files, and the files that a virtual raster (VRT) refers to.

The workflow compares them with those of the last run, at each start and for all scenes, so this must be fast.
"""

import functools
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

VRT_MARK = b"<VRTDataset"
HEAD_BYTES = 4096
REFERENCES = ("SourceFilename", "SourceDataset", "RPCDEM")
REFERRING_KEYS = ("X_DATASET", "Y_DATASET")  # geolocation arrays
ADDED = (".aux.xml", ".msk", ".hdr", ".vat.dbf")
OF_VECTORS = {"shp": (".shx", ".dbf", ".cpg", ".prj", ".SHX", ".DBF", ".CPG", ".PRJ"), "gpkg": (".gpkg-wal",)}
"""Endings that replace the suffix of vector files in the names of the files that belong to them."""

REPLACING = (".hdr", ".prj", ".tab", ".wld", ".aux", ".rpb", ".ige")
RPC_ENDINGS = ("_RPC.TXT", "_rpc.txt")
ARCHIVE_PATH = re.compile(r"^/vsi(?:zip|tar|gzip|7z|rar)/\{?(.*)$")
ON_THE_WEB = re.compile(r"^(?:/vsi|[a-z0-9]+://)")
SUBDATASET_PATH = re.compile(r'^[A-Za-z]\w+:(?:\w*:)?(?:"([^"]+)".*|(.+?)(?:://.*)?(?::[^/":]*)*)$')

SETTLED_NS = 5_000_000_000
"""A folder's list of names is kept if the folder has not changed for this time; file systems round times."""


def files_behind(path: Path) -> tuple[Path, ...]:
    """Return the existing files that GDAL reads for a raster: itself, its sidecar files, and recursively its members.

    For a folder (an ESRI grid) these are its files. Overviews and ``.aux.xml`` with only statistics are not included.
    """
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop(0)
        if one in found or not os.path.exists(one):  # noqa: PTH110 - Path.exists fails if a name is too long
            continue
        if one.is_dir():
            found |= dict.fromkeys(sorted(file for file in one.iterdir() if file.is_file()))
            continue
        found |= dict.fromkeys(with_sidecars(one))
        waiting += members(one)
    return tuple(found)


def with_sidecars(path: Path) -> tuple[Path, ...]:
    """Return a raster's file and its sidecar files: what GDAL reads for a raster that refers to no other files."""
    return (path, *_sidecars(path))


def missing_member(path: Path) -> tuple[Path, Path] | None:
    """Return a missing file and the VRT that refers to it; None if all files exist."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        seen.add(one)
        for member in members(one):
            if not os.path.exists(member):  # noqa: PTH110
                return member, one
            if member not in seen:
                waiting.append(member)
    return None


def members(path: Path) -> tuple[Path, ...]:
    """Return the local files that a VRT refers to, in its order; none for any other file."""
    try:
        with path.open("rb") as file:
            if VRT_MARK not in file.read(HEAD_BYTES):
                return ()
        status = path.stat()
        return _members(path, status.st_mtime_ns, status.st_size)
    except OSError:  # a folder, or an unreadable file, which the stage reports
        return ()


@functools.lru_cache(maxsize=4096)
def _members(path: Path, _mtime_ns: int, _size: int) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(_references(path.read_bytes(), path.parent)))


def _references(xml: bytes | str, folder: Path) -> Iterator[Path]:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:  # GDAL reports it
        return
    for element in root.iter():
        name = (element.text or "").strip()
        if element.tag in REFERENCES or element.get("key") in REFERRING_KEYS:
            relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")) == "1"
            if name.startswith("<VRTDataset"):
                yield from _references(name, folder)
            elif name and (file := _file_of(name, folder if relative else Path())) is not None:
                yield file


def local_file(name: str) -> Path | None:
    """Return the local file behind a virtual path or subdataset name of GDAL, existing or not; None: remote."""
    return _file_of(name, Path())


def _file_of(name: str, folder: Path) -> Path | None:
    """Return the local file that GDAL opens for a dataset name; None if it is not a local file."""
    if name.startswith("vrt://"):
        return _file_of(name.removeprefix("vrt://").split("?")[0], folder)
    if archive := ARCHIVE_PATH.match(name):
        return _archive(Path(archive[1].split("}")[0]), folder)
    if ON_THE_WEB.match(name):
        return None
    file = folder / name
    if not os.path.exists(file) and (subdataset := SUBDATASET_PATH.match(name)):  # noqa: PTH110
        return folder / (subdataset[1] or subdataset[2])
    return file


def _archive(inner: Path, folder: Path) -> Path | None:
    candidates = [folder / inner, *(folder / parent for parent in inner.parents)]
    return next((file for file in candidates if file.is_file()), None)


def _sidecars(path: Path) -> Iterator[Path]:
    """Yield the sidecar files that affect a file's values, names, mask, nodata, scale or georeferencing."""
    kind, whole = path.suffix.lower().removeprefix("."), path.name
    stem = whole.removesuffix(path.suffix)
    names = [whole + ending for ending in ADDED] + [stem + ending for ending in _replacing(kind)]
    listed = _listed(path.parent)
    present = [path.with_name(name) for name in names if (listed is None or name in listed) and name != whole]
    sidecars = [file for file in present if file.is_file()]
    if kind == "adf":  # an ESRI grid consists of all .adf files of its folder
        sidecars += sorted(path.parent.glob("*.adf"))
    yield from (file for file in sidecars if not file.name.endswith(".aux.xml") or _changes_values(file))


def _listed(folder: Path) -> frozenset[str] | None:
    """Return the names in a folder; None if it may not be listed.

    Listing a folder once is much faster than asking for each possible sidecar file. A folder that has just changed may
    change again without a new time, so its names are not kept.
    """
    changed_ns = folder.stat().st_mtime_ns
    is_settled = time.time_ns() - changed_ns > SETTLED_NS
    try:
        return _names(folder, changed_ns) if is_settled else frozenset(os.listdir(folder))  # noqa: PTH208
    except PermissionError:
        return None


@functools.lru_cache(maxsize=64)
def _names(folder: Path, _mtime_ns: int) -> frozenset[str]:
    return frozenset(os.listdir(folder))  # noqa: PTH208 - names only


@functools.cache
def _replacing(kind: str) -> tuple[str, ...]:
    """Return the endings that replace a suffix in the names of sidecar files, including world files."""
    if kind in OF_VECTORS:
        return OF_VECTORS[kind]
    world = {f".{kind[0]}{kind[-1]}w", f".{kind}w"} if len(kind) > 1 else set()
    endings = (*REPLACING, *sorted(world))
    return (*endings, *(ending.upper() for ending in endings), *RPC_ENDINGS)


def _changes_values(auxiliary: Path) -> bool:
    """Return whether an ``.aux.xml`` contains more than statistics and histograms."""
    try:
        root = ElementTree.parse(auxiliary).getroot()
    except (OSError, ElementTree.ParseError):
        return True
    return any(item.tag != "PAMRasterBand" or any(not _is_statistics(child) for child in item) for item in root)


def _is_statistics(element: ElementTree.Element) -> bool:
    keys = [item.get("key", "") for item in element]
    return element.tag == "Histograms" or (
        element.tag == "Metadata" and not element.attrib and all(key.startswith("STATISTICS_") for key in keys)
    )
