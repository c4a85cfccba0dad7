"""Names of files on servers: what is remote, what GDAL opens for it, and signatures. Opens nothing, imports no GDAL.

Signed addresses are made when a job opens a file (`gdal_name`) and are written nowhere; records have `address`.
"""

import functools
import itertools
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from clairemap.errors import RemoteFileError
from clairemap.raster.unsupported import HANDLERS

NETWORK = ("vsicurl", "vsis3", "vsigs", "vsiaz", "vsiadls", "vsioss", "vsiswift", "vsihdfs", "vsiwebhdfs")
"""GDAL's file systems on servers."""

ON_SERVER = re.compile(rf"/(?:{'|'.join(NETWORK)})(?:_streaming)?[/?]", re.I)
SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://(.*)$", re.I | re.S)
LOCAL_SCHEMES = ("file", "vrt")
PLANETARY_COMPUTER = ".blob.core.windows.net"
SIGNATURE = re.compile(r"[?&](?:sig|signature|x-amz-signature|x-goog-signature|token|access_token)=", re.I)
CHUNK_BYTES = 2**16
CACHE_MB = 192
"""Cache of bytes of the remote files of a role. GDAL's own caches are common to all files, which displace each other;
with a cache for each file, blocks that windows of two rows of tiles share are requested once."""

_openings = itertools.count()


def is_remote(name: str) -> bool:
    """Whether a name refers to a file on a server: a URL, or a virtual path or subdataset of GDAL with one."""
    scheme = SCHEME.match(name)
    return (scheme is not None and scheme[1].lower() not in LOCAL_SCHEMES) or ON_SERVER.search(name) is not None


def address(name: str) -> str:
    """Return a name without query, which may contain a signature, and without user and password: for records."""
    return re.sub(r"://[^/@]*@", "://", name.split("?")[0])


def gdal_name(name: str) -> str:
    """Return what GDAL opens for a path, URL or virtual path, signed if the host needs it.

    Raises:
        RemoteFileError: it cannot be signed.
    """
    scheme = SCHEME.match(name)
    if scheme is None or scheme[1].lower() == "vrt":
        return name
    if scheme[1].lower() == "file":
        return scheme[2]
    if (handler := HANDLERS.get(scheme[1].lower())) is not None:
        return f"/{handler}/{scheme[2]}"
    return f"/vsicurl/{_signed(name)}"


def cached(name: str, megabytes: float) -> str:
    """Return a GDAL name with a cache of bytes of its own, another one in each call; names of local files stay.

    Virtual rasters keep a failure to open a file by its name. Reading from it again gives zeros, which rasterio takes
    for a success. So no name may be opened again after a failure.
    """
    if not can_be_reopened(name):
        return name
    size, file = round(megabytes * 2**20) + next(_openings), quote(name, safe="/:")
    return f"/vsicached?chunk_size={CHUNK_BYTES}&cache_size={size}&file={file}"


def can_be_reopened(name: str) -> bool:
    """Whether a GDAL name is that of a remote file that may be opened again after a failure, see `cached`."""
    return name.startswith("/vsi") and ON_SERVER.search(name) is not None


def is_planetary_computer(name: str) -> bool:
    """Whether an address is on the storage of the Planetary Computer (or another one of Azure)."""
    return PLANETARY_COMPUTER in address(name)


def _signed(url: str) -> str:
    if not (urlsplit(url).hostname or "").endswith(PLANETARY_COMPUTER) or SIGNATURE.search(url):
        return url
    signer = planetary_computer()
    if signer is None:
        return url
    try:
        return str(signer.sign(url))
    except ValueError:  # of pydantic
        raise RemoteFileError(
            f"{address(url)}: the Planetary Computer answers with an invalid signature; run again later"
        ) from None
    except OSError as error:  # of requests
        if getattr(getattr(error, "response", None), "status_code", None) == HTTPStatus.NOT_FOUND:
            return url  # storage of somebody else
        raise RemoteFileError(
            f"{address(url)}: the Planetary Computer does not sign this address ({type(error).__name__}: "
            f"{str(error).partition('?')[0]}); check the address, or run again later"
        ) from None


def forget_signatures() -> None:
    """Forget signatures, so that the next `gdal_name` gets new ones."""
    if (signer := planetary_computer()) is not None:
        signer.sas.TOKEN_CACHE.clear()


@functools.cache
def planetary_computer() -> Any:  # noqa: ANN401 - an optional package
    """Return the package that signs addresses; None if it is not installed."""
    try:
        import planetary_computer as package  # noqa: PLC0415 - only for such files: it imports much
    except ImportError:
        return None
    return package
