"""Files on servers: options of GDAL, states, errors and retries. The one place for all of these.

GDAL reads byte ranges of a file (`/vsicurl/`, `/vsis3/`, ...), and retries what a server refuses for a moment.
`PAUSES_S` are the pauses before retries of `RasterSource`, for connections that break and signatures that expire. GDAL
repeats a failure from its cache, so these retries clear the cache and open the file again (`renew`).
"""

import functools
import logging
import os
import re

from rasterio._env import set_gdal_config

from clairemap.artefacts.scene_sources import RemoteState
from clairemap.errors import RemoteFileError
from clairemap.raster import gdal_files
from clairemap.raster.remote_names import (
    NETWORK,
    address,
    can_be_reopened,
    forget_signatures,
    gdal_name,
    is_planetary_computer,
    planetary_computer,
)
from clairemap.raster.unsupported import HANDLERS

OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no requests for sidecar files
    "GDAL_HTTP_MAX_RETRY": "5",  # for status 429, 500, 502, 503 and 504
    "GDAL_HTTP_RETRY_DELAY": "1",  # seconds before the first retry; doubled each time
    "GDAL_HTTP_CONNECTTIMEOUT": "30",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",  # seconds below the limit until a request counts as failed
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1000",  # bytes per second
}
"""GDAL's options for remote files; those in the environment count instead."""

PIECE = ("CPL_VSIL_CURL_CHUNK_SIZE", "1024")
"""Smallest piece that GDAL requests, bytes; an option of the whole process. GDAL reads up to 128 pieces ahead; of the
default of 16 kB it discards many before they are used. The cache of a file asks for `CHUNK_BYTES` or more at once."""

PREFIXES = (*(f"/{handler}/" for handler in NETWORK), "/vsicached?", "/vsizip//vsi", "/vsitar//vsi")
"""Where these options count: for local files some would hide sidecar files."""

PAUSES_S = (1.0, 4.0, 16.0)
DOCUMENT_BYTES = 2**24
"""Largest metadata file that is read."""

STATUS = re.compile(r"HTTP (?:response|error) code ?:? ?(\d{3})")
QUERY = re.compile(r"\?[^\s'\"]*")
PASSING = (408, 425, 429, 500, 502, 503, 504)
DENIED = (401, 403)
ABSENT_TEXT = re.compile(r"specified (?:key|bucket|blob|container) does not exist|NoSuch(?:Key|Bucket)", re.I)
DENIED_TEXT = re.compile(
    r"access ?denied|InvalidAccessKeyId|access key id|SignatureDoesNotMatch|expired ?token|token .*expired|credentials",
    re.I,
)
"""Texts of S3 and others, in place of a status."""

MAX_CAUSES = 8


@functools.cache
def prepare() -> None:
    """Set the options of remote files, once in a process."""
    for key, value in OPTIONS.items():
        if key not in os.environ:
            for prefix in PREFIXES:
                gdal_files.set_option(prefix, key, value)
    if PIECE[0] not in os.environ:
        set_gdal_config(*PIECE)
    logging.getLogger("rasterio._err").addFilter(_without_queries)


def _without_queries(record: logging.LogRecord) -> bool:
    """Remove queries of addresses, which may be signatures, from a message of GDAL."""
    record.msg, record.args = QUERY.sub("", record.getMessage()), ()
    return True


def renew() -> None:
    """Forget failures, cached data and signatures, so that the next opening starts afresh."""
    gdal_files.forget()
    forget_signatures()


def content(name: str) -> bytes:
    """Return the content of a metadata file by its URL or GDAL name.

    Raises:
        RemoteFileError: it cannot be read.
    """
    prepare()
    try:
        return gdal_files.content(gdal_name(name), DOCUMENT_BYTES)
    except OSError as error:
        raise read_error(address(name), str(error)) from None


def state(name: str) -> RemoteState:
    """Return the present state of a remote file by its GDAL name; an empty one for subdatasets.

    Raises:
        RemoteFileError: the server does not state it.
    """
    if not can_be_reopened(name):
        return RemoteState()
    prepare()
    try:
        found = gdal_files.headers(name)
    except OSError as error:
        raise read_error(_plain(name), str(error)) from None
    size = found.get("content-length", "")
    return RemoteState(
        size_bytes=int(size) if size.isdigit() else None, etag=found.get("etag"), updated=found.get("last-modified")
    )


def check_unchanged(name: str, resolved: RemoteState) -> None:
    """Check that a file, by its GDAL name, is the one that resolve_scene read: by ETag, or date, and size.

    Raises:
        RemoteFileError: it is another one, or the server does not state it.
    """
    present = state(name)
    by_etag = resolved.etag is not None and present.etag is not None
    known = (resolved.etag, present.etag) if by_etag else (resolved.updated, present.updated)
    if known[0] != known[1] or resolved.size_bytes != present.size_bytes:
        raise RemoteFileError(
            f"{_plain(name)}: has changed on the server since resolve_scene read it (was {_described(resolved)}; is "
            f"{_described(present)}). Run again with --forcerun resolve_scene"
        )


def _described(found: RemoteState) -> str:
    named = {"ETag": found.etag, "date": found.updated, "bytes": found.size_bytes}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value is not None) or "not stated"


def may_pass(error: BaseException) -> bool:
    """Whether reading again may succeed: after a passing status, an expired signature or a broken connection."""
    status = _status(_reasons(error))
    return status is None or status in (*PASSING, *DENIED)


def read_error(where: str, reason: BaseException | str) -> RemoteFileError:
    """Return the error for a remote file that cannot be opened or read, with the remedy; `where` has no signature."""
    reasons = _reasons(reason)
    status, text = _status(reasons), QUERY.sub("", reasons[-1]).rstrip(".") or "no answer"
    answer = f'GDAL: "{text}"' if status is None else f"HTTP {status}"
    if status == 404 or ABSENT_TEXT.search(text):
        return RemoteFileError(f"{where}: does not exist on the server ({answer}); correct the address")
    if status in (*DENIED, 409) or DENIED_TEXT.search(text):
        return RemoteFileError(f"{where}: the server denies access ({answer}); {_access_remedy(where)}")
    if status is not None:
        return RemoteFileError(
            f"{where}: the server answers {answer}, also after retries; run again later, or check the address"
        )
    return RemoteFileError(f"{where}: cannot be read ({answer}); check the address, or run again later")


def _access_remedy(where: str) -> str:
    if not is_planetary_computer(where):
        return (
            "set credentials in GDAL's variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_NO_SIGN_REQUEST="
            "YES for public buckets; GS_...; GDAL_HTTP_HEADERS; see docs/data.md). A signed address may have expired"
        )
    if planetary_computer() is None:
        return "the Planetary Computer requires signed addresses: pip install 'clairemap[planetary-computer]'"
    return "its signature was also refused after signing again; check PC_SDK_SUBSCRIPTION_KEY, or run again later"


def _plain(name: str) -> str:
    """Return the address in a GDAL name."""
    plain = address(name).removeprefix("/vsicurl/")
    schemes = (scheme for scheme, handler in HANDLERS.items() if plain.startswith(f"/{handler}/"))
    return next((f"{scheme}://{plain.split('/', 2)[2]}" for scheme in schemes), plain)


def _status(reasons: list[str]) -> int | None:
    return next((int(found[1]) for text in reasons if (found := STATUS.search(text))), None)


def _reasons(reason: BaseException | str) -> list[str]:
    """Return the texts of an error and its causes."""
    if isinstance(reason, str):
        return [reason]
    found = [reason]
    while (cause := found[-1].__cause__ or found[-1].__context__) is not None and len(found) < MAX_CAUSES:
        found.append(cause)
    return [str(one) for one in found]
