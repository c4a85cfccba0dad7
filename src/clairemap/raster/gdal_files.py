"""GDAL's virtual files as bytes: content, headers, caches and options by path, which rasterio does not offer.

rasterio's extension modules are linked to GDAL, so its C functions are looked up through one of them. The same
credentials, retries and caches count as for rasters.
"""

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio._base

PIECE_BYTES = 2**20


def content(name: str, most_bytes: int) -> bytes:
    """Return the content of a file, for example `/vsicurl/https://host/item.json`; no more than `most_bytes`.

    Raises:
        OSError: it cannot be opened; the text is GDAL's reason, empty if GDAL gives none.
    """
    gdal = _gdal()
    with _quiet():
        gdal.VSIErrorReset()
        handle = gdal.VSIFOpenExL(name.encode(), b"rb", 1)
        if not handle:
            raise OSError(_reason())
        try:
            return b"".join(_pieces(handle, most_bytes))
        finally:
            gdal.VSIFCloseL(handle)


def _pieces(handle: int, most_bytes: int) -> Iterator[bytes]:
    buffer = ctypes.create_string_buffer(PIECE_BYTES)
    left = most_bytes
    while left > 0 and (read := _gdal().VSIFReadL(buffer, 1, min(PIECE_BYTES, left), handle)):
        yield buffer.raw[:read]
        left -= read


def headers(name: str) -> dict[str, str]:
    """Return the headers of a file on a server by lower-case name; only its size if the server refuses HEAD.

    Raises:
        OSError: it cannot be opened; the text is GDAL's reason, empty if GDAL gives none.
    """
    gdal = _gdal()
    with _quiet():
        gdal.VSIErrorReset()
        listed = gdal.VSIGetFileMetadata(name.encode(), b"HEADERS", None)
        if not listed:
            return {"content-length": str(_size(name))}
    found: dict[str, str] = {}
    number = 0
    while listed[number]:
        key, _, value = listed[number].decode(errors="replace").partition("=")
        found[key.strip().lower()] = value.strip()
        number += 1
    gdal.CSLDestroy(listed)
    return found


def _size(name: str) -> int:
    gdal = _gdal()
    handle = gdal.VSIFOpenExL(name.encode(), b"rb", 1)
    if not handle:
        raise OSError(_reason())
    gdal.VSIFSeekL(handle, 0, os.SEEK_END)
    size = int(gdal.VSIFTellL(handle))
    gdal.VSIFCloseL(handle)
    return size


def forget() -> None:
    """Clear what GDAL has cached of servers: data, and failures, which it would repeat without asking again."""
    _gdal().VSICurlClearCache()


def set_option(prefix: str, key: str, value: str) -> None:
    """Set a GDAL option for all files whose name starts with a prefix."""
    _gdal().VSISetPathSpecificOption(prefix.encode(), key.encode(), value.encode())


def _reason() -> str:
    return (_gdal().VSIGetLastErrorMsg() or b"").decode(errors="replace")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep GDAL from printing errors."""
    gdal = _gdal()
    gdal.CPLPushErrorHandler(gdal.CPLQuietErrorHandler)
    try:
        yield
    finally:
        gdal.CPLPopErrorHandler()


@functools.cache
def _gdal() -> ctypes.CDLL:
    text, handle, size = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t
    gdal = ctypes.CDLL(rasterio._base.__file__)
    for name, result, arguments in (
        ("VSIFOpenExL", handle, [text, text, ctypes.c_int]),
        ("VSIFReadL", size, [handle, size, size, handle]),
        ("VSIFCloseL", ctypes.c_int, [handle]),
        ("VSIFSeekL", ctypes.c_int, [handle, ctypes.c_uint64, ctypes.c_int]),
        ("VSIFTellL", ctypes.c_uint64, [handle]),
        ("VSIErrorReset", None, []),
        ("VSIGetLastErrorMsg", text, []),
        ("VSIGetFileMetadata", ctypes.POINTER(text), [text, text, handle]),
        ("CSLDestroy", None, [ctypes.POINTER(text)]),
        ("VSICurlClearCache", None, []),
        ("VSISetPathSpecificOption", None, [text, text, text]),
        ("CPLPushErrorHandler", None, [handle]),
        ("CPLPopErrorHandler", None, []),
    ):
        function = getattr(gdal, name)
        function.restype, function.argtypes = result, arguments
    return gdal
