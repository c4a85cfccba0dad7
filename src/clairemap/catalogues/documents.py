"""JSON documents of STAC: files and addresses, links between them."""

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 60.0
RETRIES = 4
FIRST_PAUSE_S = 1.0
"""Pause before the first retry; doubled before each further one."""
MAX_BYTES = 512 * 1024**2
"""Larger files are not STAC: an address of a raster may have been given by mistake."""
AGENT = {"User-Agent": "clairemap"}
"""Some servers refuse Python's own name."""
PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP status codes after which a later request may succeed."""

Document = Mapping[str, Any]


class DocumentError(Exception):
    """A document cannot be read; the message is a phrase that follows its place."""


def is_address(place: str) -> bool:
    """Whether a place is an address rather than a path."""
    return "://" in place


def start_of(place: str) -> str:
    """Return what a user names as an address or an absolute path."""
    return place if is_address(place) else os.path.abspath(Path(place).expanduser())  # noqa: PTH100 - keeps links


def resolved(href: str, base: str) -> str:
    """Return a link of a document as an address or an absolute path.

    Args:
        href: the link, which may be relative to the document.
        base: address or absolute path of the document.
    """
    if href.startswith("file://"):
        return urllib.request.url2pathname(urllib.parse.urlsplit(href).path)
    if is_address(href) or href.startswith("/vsi"):
        return href
    if is_address(base):
        return urllib.parse.urljoin(base, href)
    return os.path.normpath(Path(base).parent / href)


def read_document(place: str) -> Document:
    """Return the JSON object in a file or at an address (http, https); passing failures are retried.

    Raises:
        DocumentError: it cannot be read, or is not a JSON object.
    """
    content = _downloaded(place) if is_address(place) else _file_content(place)
    if len(content) > MAX_BYTES:
        raise DocumentError(f"is larger than {MAX_BYTES // 1024**2} MB, so it is not a STAC document")
    try:
        document = json.loads(content)
    except UnicodeDecodeError:
        raise DocumentError("is not JSON but a binary file") from None
    except json.JSONDecodeError as error:
        raise DocumentError(f"is not valid JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    if not isinstance(document, dict):
        raise DocumentError("is not a STAC document: its JSON is not an object")
    return document


def _file_content(place: str) -> bytes:
    try:
        with Path(place).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"cannot be read ({error.strerror})") from None


def _downloaded(address: str) -> bytes:
    if not address.startswith(("http://", "https://")):
        raise DocumentError("cannot be read: only files and addresses with http:// or https:// can; download it")
    for attempt in range(RETRIES + 1):
        if attempt:
            time.sleep(FIRST_PAUSE_S * 2 ** (attempt - 1))
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=AGENT), timeout=TIMEOUT_S) as answer:
                found: bytes = answer.read(MAX_BYTES + 1)
                if len(found) > MAX_BYTES or not answer.length:
                    return found
                reason = f"the answer ends {answer.length} bytes too early"
        except urllib.error.HTTPError as error:
            reason = f"HTTP status {error.code} {error.reason}"
            if error.code not in PASSING:
                break
        except urllib.error.URLError as error:
            reason = str(error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
    raise DocumentError(f"cannot be read ({reason})")
