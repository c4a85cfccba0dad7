"""Error messages for paths that are not raster files: what the path is, and how to convert it to a raster."""

import contextlib
import itertools
import os
import re
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.paths import path_exists
from clairemap.raster.members import missing_member

URL = re.compile(r"(?:^|/)((?:https?|ftp|s3|gs|gcs|az|abfss?|adl|wasbs?|oss|swift|hdfs|file)):/+(.*)$", re.IGNORECASE)
HANDLERS = {"s3": "vsis3", "gs": "vsigs", "gcs": "vsigs", "az": "vsiaz", "abfs": "vsiadls", "abfss": "vsiadls",
            "oss": "vsioss", "swift": "vsiswift", "hdfs": "vsihdfs"}  # fmt: skip
VIRTUAL = re.compile(r"(?:^|/)(vsi[a-z0-9]+(?:_streaming)?/.*)$")
WINDOWS = re.compile(r"(?:^|/)(?:[A-Za-z]:[\\/]|\\\\)")
SUBDATASET_NAME = re.compile(r"(?:^|/)([A-Z][A-Z0-9_]{2,}:.*)$")
RASTERS = (".tif", ".tiff", ".jp2", ".img", ".vrt", ".nc", ".h5")
SHAPES = (".gpkg", ".geojson", ".json", ".shp", ".kml", ".gml", ".fgb", ".sqlite", ".gdb", ".parquet")
ARCHIVES = {".zip": "vsizip", ".tar": "vsitar", ".tgz": "vsitar", ".gz": "vsigzip", ".7z": "vsi7z", ".rar": "vsirar"}
HEADS = (
    (b"<!doctype html", "is a web page, not a raster: the download failed or requires a login; download it again"),
    (b"<html", "is a web page, not a raster: the download failed or requires a login; download it again"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the raster; run `git lfs pull`"),
    (b"<error", "is a server's error message, not a raster; download it again"),
)
SHOWN = 4
"""Number of files or bands that a message names."""


def check_exists(path: Path) -> None:
    """Check that a file exists.

    Raises:
        MissingFileError: the file does not exist; the message contains the remedy.
    """
    if not path_exists(path):
        raise MissingFileError(missing_message(path))


def open_error(path: Path, reason: object) -> MissingFileError | UnreadableFileError:
    """Return the error for a path that GDAL cannot open, for example a virtual raster with a missing file."""
    if (found := missing_member(path)) is None:
        return UnreadableFileError(f"{path}: {_unreadable(path, reason)}")
    member, referring = found
    return MissingFileError(
        f"{path}: the virtual raster {referring} refers to {member}, which does not exist; provide it, or rebuild "
        "the virtual raster (gdalbuildvrt)"
    )


def no_bands_error(path: Path, parts: Sequence[str]) -> MissingFileError | UnreadableFileError:
    """Return the error for a file without bands, for example netCDF with several variables."""
    if not parts:
        return open_error(path, "it has no bands")
    shown = ", ".join(parts[:SHOWN]) + (", ..." if len(parts) > SHOWN else "")
    return UnreadableFileError(
        f"{path}: contains {len(parts)} rasters ({shown}), but the sample sheet needs one file with all bands; convert "
        f"each with `gdal_translate {shlex.quote(parts[0])} band1.tif`, then {_stacked('band1.tif band2.tif')}"
    )


def _stacked(files: str) -> str:
    return f"run `gdalbuildvrt -separate scene.vrt {files}` and use scene.vrt in the sample sheet"


def quoted_reason(reason: object) -> str:
    """Return GDAL's message in quotation marks, without its full stop."""
    return f'GDAL: "{str(reason).rstrip(".")}"'


def written_name(path: Path) -> str:
    """Return a cell of the sample sheet as written: a URL, virtual path or subdataset, which `Path` alters, or path."""
    text = str(path)
    if virtual := VIRTUAL.search(text):
        return _written_virtual(virtual[1])
    if url := URL.search(text):
        return f"{url[1]}:///{url[2]}" if url[1].lower() == "file" else f"{url[1]}://{url[2]}"
    subdataset = None if WINDOWS.search(text) else SUBDATASET_NAME.search(text)
    return subdataset[1] if subdataset else text


def missing_message(path: Path) -> str:
    """Return the error text for a path that does not exist, with the remedy."""
    text, name = str(path), written_name(path)
    if VIRTUAL.search(text):
        return f"{name}: GDAL's virtual paths are not supported; copy the file, or {_virtual(shlex.quote(name))}"
    if url := URL.search(text):
        kind, rest = url[1].lower(), url[2]
        if kind == "file":
            return f"{name}: URLs are not read; use the path: /{rest}"
        virtual = f"/{HANDLERS[kind]}/{rest}" if kind in HANDLERS else f"/vsicurl/{name}"
        return f"{name}: URLs are not read; download the file, or {_virtual(shlex.quote(virtual))}"
    if WINDOWS.search(text) or "\\" in text:
        return (
            f"{path}: no such file; it looks like a Windows path: use the path on this machine, with '/' "
            "(under WSL, C:\\data\\a.tif is /mnt/c/data/a.tif)"
        )
    if SUBDATASET_NAME.search(text):
        return (
            f"{name}: subdatasets are not supported; convert it to a file with "
            f"`gdal_translate {shlex.quote(name)} band1.tif`, or {_virtual(shlex.quote(name))}"
        )
    return f"{path}: no such file; correct the path in the sample sheet or provide the file{_hint(path)}"


def _virtual(name: str) -> str:
    return f"refer to it by a virtual raster: `gdal_translate -of VRT {name} scene.vrt`"


def _written_virtual(virtual: str) -> str:
    """Return a virtual path with double slashes restored, which `Path` removes in URLs and before absolute paths."""
    handler, _, inner = re.sub(r"(https?|ftp):/(?=[^/])", r"\1://", virtual).partition("/")
    absolute = Path("/", inner)
    if handler in ARCHIVES.values() and any(path.is_file() for path in (absolute, *absolute.parents)):
        inner = f"/{inner}"
    return f"/{handler}/{inner}"


def _hint(path: Path) -> str:
    """Return a hint on a missing file: the target of a link, or a file whose name differs in case only."""
    if os.path.islink(path):  # noqa: PTH114 - Path fails on names that are too long
        return f" (it is a link to {path.readlink()}, which does not exist)"
    if not path_exists(path.parent) or not path.parent.is_dir():
        return ""
    other = next((file.name for file in path.parent.iterdir() if file.name.lower() == path.name.lower()), None)
    return f" (the folder contains {other!r}; names are case-sensitive)" if other else ""


def _unreadable(path: Path, reason: object) -> str:
    kind = path.suffix.lower()
    if path.is_dir() and kind not in SHAPES:
        return _folder(path)
    if kind in SHAPES:
        return _shapes(path)
    if not path.is_file():
        return f"is neither a file nor a folder ({quoted_reason(reason)}); use the path of a raster file"
    if path.stat().st_size == 0:
        return "is empty (0 bytes); download it again"
    if kind in ARCHIVES or zipfile.is_zipfile(path):
        return _archive(path, kind)
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    except OSError as error:
        return f"cannot be read ({error.strerror}); give the user of this run read permission (chmod)"
    for start, message in HEADS:
        if head.startswith(start):
            return message
    return (
        f"cannot be opened as a raster ({quoted_reason(reason)}); download it again, or convert it to GeoTIFF if "
        "GDAL does not support its format (`gdalinfo --formats`)"
    )


def _folder(folder: Path) -> str:
    rasters = (file for file in folder.rglob("*") if file.suffix.lower() in RASTERS and file.is_file())
    found = sorted(itertools.islice((file for file in rasters if file.suffix.lower() != ".vrt"), SHOWN))
    inside = " ".join(shlex.quote(str(file)) for file in found) or "BAND1.tif BAND2.tif"
    return (
        "is a folder, not a file; use the raster in it, or stack its bands in the order of sensors.*.bands (not "
        f"alphabetically): {_stacked(inside)}"
    )


def _archive(path: Path, kind: str) -> str:
    handler, inner = ARCHIVES.get(kind, "vsizip"), "PATH/IN/IT.tif"
    if zipfile.is_zipfile(path):
        handler = "vsizip"
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            inner = next((name for name in archive.namelist() if name.lower().endswith(RASTERS)), inner)
    virtual = f"/{handler}/{path.absolute()}" + ("" if handler == "vsigzip" else f"/{inner}")
    return f"is an archive, not a raster; unpack it, or {_virtual(shlex.quote(virtual))}"


def _shapes(path: Path) -> str:
    return (
        "contains vector data, not a raster; only the column `label` of the sample sheet may name vector files "
        f"(GeoPackage and others: docs/labels.md), for example after `ogr2ogr labels.gpkg {shlex.quote(str(path))}`"
    )
