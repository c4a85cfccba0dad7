"""The files that GDAL reads with a raster: what lies beside it, and what a virtual raster (VRT) refers to.

The workflow watches them all for changes. It is read in every job of a cluster, so that GDAL opens nothing here.
"""

import functools
import hashlib
import os
import re
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

LISTED = 300
"""Files that are inputs by name; a mosaic of thousands would fill the log, and Snakemake's records, with them."""


@dataclass(frozen=True)
class Watched:
    """Files as Snakemake can watch them, and what stands for the others and for links: equal as long as they are."""

    inputs: tuple[Path, ...]
    state: tuple[str, ...]


def watched(rasters: Iterable[Path]) -> Watched:
    """Return what to watch of some rasters: all files behind them.

    Snakemake takes braces for wildcards, so that a file with braces in its path can't be an input; its size and time
    go into the state, as those of files beyond `LISTED` do. Links go there too: one that leads elsewhere may lead to a
    file that is older than what was made of the one before.
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
    """Yield where links among the files and their folders lead.

    The first two folders of an absolute path are left out: each node of a cluster may mount them elsewhere.
    """
    folders = {folder for file in files for folder in file.parents if folder.name}
    watched_folders = {folder for folder in folders if not folder.is_absolute() or len(folder.parts) > 3}
    parts = [part for part in {*files, *watched_folders} if os.path.islink(part)]  # noqa: PTH114
    for part in sorted(parts):
        for _ in range(40):  # as far as Linux follows
            if not part.is_symlink():
                break
            target = part.readlink()
            yield f"{part} -> {target}"
            part = part.parent / target


def files_behind(path: Path) -> tuple[Path, ...]:
    """Return the files that exist of those that GDAL reads for a raster: itself, sidecars, members and theirs.

    Of a folder that is a raster (an ESRI grid) they are the files in it. Overviews don't count, since no stage reads
    them, nor does an ``.aux.xml`` that holds only statistics, as viewers leave them.
    """
    found: dict[Path, None] = {}
    waiting = [path]
    while waiting:
        one = waiting.pop(0)
        if one in found or not os.path.exists(one):  # noqa: PTH110 - Path's fails where a name is too long
            continue
        if one.is_dir():
            found |= dict.fromkeys(sorted(file for file in one.iterdir() if file.is_file()))
            continue
        found |= dict.fromkeys((one, *_sidecars(one)))
        waiting += members(one)
    return tuple(found)


def absent_member(path: Path) -> tuple[Path, Path] | None:
    """Return a file that is missing and the VRT that refers to it; None if all that a raster refers to are there."""
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
    """Return the files that a VRT refers to, in its order, without what lies on the web; none for any other file."""
    try:
        with path.open("rb") as file:
            if VRT_MARK not in file.read(HEAD_BYTES):
                return ()
        status = path.stat()
        return _members(path, status.st_mtime_ns, status.st_size)
    except OSError:  # a folder, or a file that the stage itself reports
        return ()


@functools.lru_cache(maxsize=4096)
def _members(path: Path, _mtime_ns: int, _size: int) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(_referred(path.read_bytes(), path.parent)))


def _referred(xml: bytes | str, folder: Path) -> Iterator[Path]:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:  # GDAL reports it
        return
    for element in root.iter():
        name = (element.text or "").strip()
        if element.tag in REFERENCES or element.get("key") in REFERRING_KEYS:
            relative = element.get("relativeToVRT", element.get("relativetoVRT", "0")) == "1"
            if name.startswith("<VRTDataset"):
                yield from _referred(name, folder)
            elif name and (file := _file_of(name, folder if relative else Path())) is not None:
                yield file


def _file_of(name: str, folder: Path) -> Path | None:
    """Return the file that a data set's name means to GDAL; None where it is none of this machine's."""
    if name.startswith("vrt://"):
        return _file_of(name.removeprefix("vrt://").split("?")[0], folder)
    if archive := ARCHIVE_PATH.match(name):
        return _archive(Path(archive[1].split("}")[0]), folder)
    if ON_THE_WEB.match(name):
        return None
    written = folder / name
    if not os.path.exists(written) and (part := SUBDATASET_PATH.match(name)):  # noqa: PTH110
        return folder / (part[1] or part[2])
    return written


def _archive(inner: Path, folder: Path) -> Path | None:
    """Return the archive that a path leads into."""
    candidates = [folder / inner, *(folder / parent for parent in inner.parents)]
    return next((file for file in candidates if file.is_file()), None)


def _sidecars(path: Path) -> Iterator[Path]:
    """Yield the files beside a raster that change its values, mask, nodata, scale or place."""
    kind, whole = path.suffix.lower().removeprefix("."), str(path)
    stem = whole.removesuffix(path.suffix)
    # Strings and os.path, since each job of a cluster does it for all scenes: Path takes longer.
    names = [whole + ending for ending in ADDED] + [stem + ending for ending in _replacing(kind)]
    beside = [name for name in names if os.path.isfile(name) and name != whole]  # noqa: PTH113
    if kind == "adf":  # an ESRI grid is all of a folder's
        beside += sorted(map(str, path.parent.glob("*.adf")))
    yield from (Path(name) for name in beside if not name.endswith(".aux.xml") or _says_more(Path(name)))


@functools.cache
def _replacing(kind: str) -> tuple[str, ...]:
    """Return the endings that stand for a suffix in the names of its sidecars, world files among them."""
    world = {f".{kind[0]}{kind[-1]}w", f".{kind}w"} if len(kind) > 1 else set()
    endings = (*REPLACING, *sorted(world))
    return (*endings, *(ending.upper() for ending in endings), *RPC_ENDINGS)


def _says_more(auxiliary: Path) -> bool:
    """Whether an ``.aux.xml`` holds more than statistics and histograms, which change nothing that is read."""
    try:
        root = ElementTree.parse(auxiliary).getroot()
    except (OSError, ElementTree.ParseError):
        return True
    return any(part.tag != "PAMRasterBand" or any(not _is_statistics(child) for child in part) for part in root)


def _is_statistics(element: ElementTree.Element) -> bool:
    keys = [item.get("key", "") for item in element]
    return element.tag == "Histograms" or (
        element.tag == "Metadata" and not element.attrib and all(key.startswith("STATISTICS_") for key in keys)
    )
