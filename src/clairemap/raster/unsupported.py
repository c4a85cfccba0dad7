"""What to say about a path that is not a raster on this machine: what it is, and how to make one of it."""

import contextlib
import itertools
import re
import shlex
import zipfile
from collections.abc import Sequence
from pathlib import Path

from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.paths import path_exists
from clairemap.raster.members import absent_member

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
    (b"<!doctype html", "is a web page, not a raster: the download failed or wants a login; fetch it again"),
    (b"<html", "is a web page, not a raster: the download failed or wants a login; fetch it again"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the raster: run `git lfs pull`"),
    (b"<error", "is an error message of a server, not a raster; fetch it again"),
)
SHOWN = 4


def check_there(path: Path) -> None:
    """Return if there is such a file.

    Raises:
        MissingFileError: there isn't; the text says what can be done.
    """
    if not path_exists(path):
        raise MissingFileError(_missing(path))


def not_opened(path: Path, reason: object) -> MissingFileError | UnreadableFileError:
    """Return the error for a path that GDAL can't open; a virtual raster may refer to a file that is missing."""
    if (found := absent_member(path)) is None:
        return UnreadableFileError(f"{path}: {_unreadable(path, reason)}")
    member, referring = found
    return MissingFileError(
        f"{path}: the virtual raster {referring} refers to {member}, which does not exist; bring it, or make "
        "the virtual raster again (gdalbuildvrt)"
    )


def without_bands(path: Path, parts: Sequence[str]) -> MissingFileError | UnreadableFileError:
    """Return the error for a file that GDAL opens but that has no bands itself, such as netCDF of several variables."""
    if not parts:
        return not_opened(path, "it has no bands")
    shown = ", ".join(parts[:SHOWN]) + (", ..." if len(parts) > SHOWN else "")
    return UnreadableFileError(
        f"{path}: holds {len(parts)} rasters ({shown}), and a sheet names one file with all bands: write those you "
        f"need, each with `gdal_translate {shlex.quote(parts[0])} band1.tif`, then {_stacked('band1.tif band2.tif')}"
    )


def _stacked(files: str) -> str:
    return f"`gdalbuildvrt -separate scene.vrt {files}`, and name scene.vrt"


def as_named(path: Path) -> str:
    """Return what a sheet says where its cell is not a path: a URL, a virtual path, a part of a file; else the path."""
    text = str(path)
    if inner := VIRTUAL.search(text):
        return _as_written(inner[1])
    if url := URL.search(text):
        return f"{url[1]}:///{url[2]}" if url[1].lower() == "file" else f"{url[1]}://{url[2]}"
    part = None if WINDOWS.search(text) else SUBDATASET_NAME.search(text)
    return part[1] if part else text


def _missing(path: Path) -> str:
    text, name = str(path), as_named(path)
    if VIRTUAL.search(text):
        return f"{name}: GDAL's virtual paths are not read; bring the file here, or {_referred(shlex.quote(name))}"
    if url := URL.search(text):
        kind, rest = url[1].lower(), url[2]
        if kind == "file":
            return f"{name}: URLs are not read; name the file itself: /{rest}"
        virtual = f"/{HANDLERS[kind]}/{rest}" if kind in HANDLERS else f"/vsicurl/{name}"
        return f"{name}: URLs are not read; download the file, or {_referred(shlex.quote(virtual))}"
    if WINDOWS.search(text) or "\\" in text:
        return (
            f"{path}: no such file; it looks like a Windows path: write it as this machine sees it, with '/' "
            "(C:\\data\\a.tif is /mnt/c/data/a.tif under WSL)"
        )
    if SUBDATASET_NAME.search(text):
        return (
            f"{name}: parts of files are not read; write this one as a file: "
            f"`gdal_translate {shlex.quote(name)} band1.tif`, or {_referred(shlex.quote(name))}"
        )
    return f"{path}: no such file; correct the path in the sample sheet or bring the file{_other_case(path)}"


def _referred(name: str) -> str:
    return f"name a virtual raster that refers to it: `gdal_translate -of VRT {name} scene.vrt`"


def _as_written(virtual: str) -> str:
    """Return a virtual path with the double slashes that `Path` makes single: in URLs, before an absolute path."""
    handler, _, inner = re.sub(r"(https?|ftp):/(?=[^/])", r"\1://", virtual).partition("/")
    absolute = Path("/", inner)
    if handler in ARCHIVES.values() and any(place.is_file() for place in (absolute, *absolute.parents)):
        inner = f"/{inner}"
    return f"/{handler}/{inner}"


def _other_case(path: Path) -> str:
    if not path_exists(path.parent) or not path.parent.is_dir():
        return ""
    twin = next((file.name for file in path.parent.iterdir() if file.name.lower() == path.name.lower()), None)
    return f" (its folder has {twin!r}: case counts)" if twin else ""


def _unreadable(path: Path, reason: object) -> str:
    kind = path.suffix.lower()
    if path.is_dir() and kind not in SHAPES:
        return _folder(path)
    if kind in SHAPES:
        return _shapes(path)
    if not path.is_file():
        return f"is neither a file nor a folder ({reason}); name a raster file"
    if path.stat().st_size == 0:
        return "is empty (0 bytes); fetch it again"
    if kind in ARCHIVES or zipfile.is_zipfile(path):
        return _archive(path, kind)
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    except OSError as error:
        return f"can't be read ({error.strerror}); make it readable for the user of this run (chmod, or ask its owner)"
    for start, words in HEADS:
        if head.startswith(start):
            return words
    return (
        f"can't be opened as a raster ({reason}); fetch it again, or, if it is of a format that GDAL here can't read "
        "(`gdalinfo --formats`), convert it to GeoTIFF"
    )


def _folder(folder: Path) -> str:
    rasters = (file for file in folder.rglob("*") if file.suffix.lower() in RASTERS and file.is_file())
    found = sorted(itertools.islice((file for file in rasters if file.suffix.lower() != ".vrt"), SHOWN))
    inside = " ".join(shlex.quote(str(file)) for file in found) or "BAND1.tif BAND2.tif"
    return (
        "is a folder, and a sheet names files: name the raster in it, or stack its bands, in the order of "
        f"sensors.*.bands, not of their names: {_stacked(inside)}"
    )


def _archive(path: Path, kind: str) -> str:
    handler, inner = ARCHIVES.get(kind, "vsizip"), "PATH/IN/IT.tif"
    if zipfile.is_zipfile(path):
        handler = "vsizip"
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
            inner = next((name for name in archive.namelist() if name.lower().endswith(RASTERS)), inner)
    virtual = f"/{handler}/{path.absolute()}" + ("" if handler == "vsigzip" else f"/{inner}")
    return f"is an archive: unpack it, or {_referred(shlex.quote(virtual))}"


def _shapes(path: Path) -> str:
    name = shlex.quote(str(path))
    return (
        "holds shapes (vector data), not a raster: bring them to the optical scene's CRS and burn their codes: "
        f"`ogr2ogr -t_srs EPSG:32633 shapes.gpkg {name}`, then "
        "`gdal_rasterize -a code -tr 10 10 -ot Byte -init 0 -a_nodata 0 shapes.gpkg label.tif` "
        "(EPSG and 10 10: the scene's; code: the column with the class codes), and name label.tif"
    )
