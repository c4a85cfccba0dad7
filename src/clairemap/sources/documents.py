"""Metadata files of a product, in a folder or an archive."""

import tarfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from clairemap.errors import UnreadableFileError
from clairemap.raster.remote_names import is_remote
from clairemap.sources.cells import Cell

DAMAGED = (ElementTree.ParseError, zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, KeyError)


def content(cell: Cell, reference: str) -> bytes:
    """Return the content of a file of a cell; the errors are those of `DAMAGED`.

    Raises:
        RemoteFileError: it is on a server and cannot be read.
    """
    if is_remote(reference):
        from clairemap.raster.remote_files import content as remote_content  # noqa: PLC0415 - planning imports no GDAL

        return remote_content(reference)
    if cell.kind != "archive":
        return Path(cell.located(reference)).read_bytes()
    if not zipfile.is_zipfile(cell.text):
        with tarfile.open(cell.text, "r:") as tape:
            member = tape.extractfile(reference)
            return b"" if member is None else member.read()
    with zipfile.ZipFile(cell.text) as archive:
        return archive.read(reference)


def parsed(cell: Cell, reference: str) -> Element:
    """Return the root of an XML file of a cell.

    Raises:
        UnreadableFileError: it is truncated or damaged.
    """
    try:
        return ElementTree.fromstring(content(cell, reference))
    except DAMAGED as error:
        raise UnreadableFileError(
            f"{cell.text}: {reference} is truncated or damaged ({error}); download the product again"
        ) from None


def found(root: Element, tag: str) -> str | None:
    """Return the text of the first element with a tag, in any namespace; None if there is none or it is empty."""
    element = next((item for item in root.iter() if item.tag.rpartition("}")[2] == tag), None)
    text = None if element is None or element.text is None else element.text.strip()
    return text or None
