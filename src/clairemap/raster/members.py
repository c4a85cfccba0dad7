"""The files that GDAL reads with a raster: sidecar files, and the files that a virtual raster (VRT) refers to.

The workflow watches them for changes. Every cluster job does this for all scenes, so it must be fast.
"""

import functools
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

VRT_MARK = b"<VRTDataset"
HEAD_BYTES = 4096
REFERENCES = ("SourceFilename", "SourceDataset", "RPCDEM")
REFERRING_KEYS = ("X_DATASET", "Y_DATASET")  # geolocation arrays
ADDED = (".aux.xml", ".msk", ".hdr")
REPLACING = (".hdr", ".prj", ".tab", ".wld", ".aux", ".rpb", ".ige")
RPC_ENDINGS = ("_RPC.TXT", "_rpc.txt")
ARCHIVE_PATH = re.compile(r"^/vsi(?:zip|tar|gzip|7z|rar)/\{?(.*)$")
ON_THE_WEB = re.compile(r"^(?:/vsi|[a-z0-9]+://)")
SUBDATASET_PATH = re.compile(r'^[A-Za-z]\w+:(?:\w*:)?(?:"([^"]+)".*|(.+?)(?:://.*)?(?::[^/":]*)*)$')

SETTLED_NS = 5_000_000_000
"""A folder's list of names is kept if the folder has not changed for this time; file systems round times."""

LISTED = 300
"""Maximum number of files watched by name, to limit log and Snakemake metadata."""


@dataclass(frozen=True)
class Watched:
    """What Snakemake watches: files, and a state that changes with other files and links."""

    inputs: tuple[Path, ...]
    state: tuple[str, ...]


def watched(rasters: Iterable[Path]) -> Watched:
    """Return what to watch for all files that GDAL reads for some rasters.

    The state contains sizes and times of the files beyond `LISTED` and of files with braces in their path, which are
    wildcards in Snakemake. It also contains the targets of links, because a changed link may lead to an older file.
    """
    files = tuple(dict.fromkeys(file for raster in rasters for file in files_behind(raster)))
    named = [file for file in files if not set(str(file)) & set("{}")][:LISTED]
    others = [file for file in files if file not in set(named)]
    digest = hashlib.sha256()
    for file in others:
        status = file.stat()
        digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
    state = [f"{len(others)} more files: {digest.hexdigest()[:16]}"] if others else []
    return Watched(tuple(named), (*state, *_links(files)))


def _links(files: Iterable[Path]) -> Iterator[str]:
    """Yield the targets of links among the files and their folders.

    The first two folders of absolute paths are excluded, because cluster nodes may mount them differently.
    """
    folders = {folder for file in files for folder in file.parents if folder.name}
    watched_folders = {folder for folder in folders if not folder.is_absolute() or len(folder.parts) > 3}
    links = [path for path in {*files, *watched_folders} if os.path.islink(path)]  # noqa: PTH114
    for link in sorted(links):
        for _ in range(40):  # Linux's limit
            if not link.is_symlink():
                break
            target = link.readlink()
            yield f"{link} -> {target}"
            link = link.parent / target


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
        found |= dict.fromkeys((one, *_sidecars(one)))
        waiting += members(one)
    return tuple(found)


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
    """Yield the sidecar files that affect a raster's values, mask, nodata, scale or georeferencing."""
    kind, whole = path.suffix.lower().removeprefix("."), str(path)
    stem = whole.removesuffix(path.suffix)
    # Strings and os.path are faster than Path.
    names = [whole + ending for ending in ADDED] + [stem + ending for ending in _replacing(kind)]
    if (known := _known_names(os.path.dirname(whole) or ".")) is not None:  # noqa: PTH120
        names = [name for name in names if os.path.basename(name).lower() in known]  # noqa: PTH119
    sidecars = [name for name in names if os.path.isfile(name) and name != whole]  # noqa: PTH113
    if kind == "adf":  # an ESRI grid consists of all .adf files of its folder
        sidecars += sorted(map(str, path.parent.glob("*.adf")))
    yield from (Path(name) for name in sidecars if not name.endswith(".aux.xml") or _changes_values(Path(name)))


def _known_names(folder: str) -> frozenset[str] | None:
    """Return the names in a folder in lower case: one call instead of one per possible sidecar file.

    None if the folder changed so recently that its time may not show the next change.
    """
    changed_ns = os.stat(folder).st_mtime_ns  # noqa: PTH116
    return _listed(folder, changed_ns) if time.time_ns() - changed_ns > SETTLED_NS else None


@functools.lru_cache(maxsize=256)
def _listed(folder: str, _changed_ns: int) -> frozenset[str]:
    return frozenset(map(str.lower, os.listdir(folder)))  # noqa: PTH208


@functools.cache
def _replacing(kind: str) -> tuple[str, ...]:
    """Return the endings that replace a suffix in the names of sidecar files, including world files."""
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
