"""The sample sheet's file: reading CSV rows with their line numbers, writing CSV."""

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from clairemap.errors import SampleSheetError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE_AS_CSV = "save it as 'CSV UTF-8 (comma delimited)'"
SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}


class SheetRow(NamedTuple):
    """The cells of one row, stripped of blanks, and the line of the file where the row begins.

    A named tuple, since cluster jobs build one for each row of the sheet at their start.
    """

    line: int
    cells: tuple[str, ...]


def read_content(path: Path) -> bytes:
    """Return the content of a sheet's file.

    Raises:
        SampleSheetError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise SampleSheetError(
            f"{path.absolute()}: no such file; a relative path in `scenes` starts at the current folder"
        ) from None
    except OSError as error:
        raise SampleSheetError(f"{path}: cannot be read ({error.strerror}); set `scenes` to a CSV file") from None


def sheet_rows(path: Path, content: bytes) -> tuple[SheetRow, ...]:
    """Return the header and the rows below it of a file's content, without empty rows and Excel's ``sep=,``.

    Raises:
        SampleSheetError: the content is not UTF-8 text, or is not separated by commas.
    """
    rows = [row for row in _parsed(path, _decoded(path, content)) if any(row.cells)]
    if rows and (hint := _wrong_separator(rows[0])):
        raise SampleSheetError(f"{path}: {hint}")
    if rows and rows[0].cells[0].lower().startswith("sep="):
        rows = rows[1:]
    if rows and rows[0].cells[0].startswith("#"):
        raise SampleSheetError(
            f"{path}: row {rows[0].line} begins with '#'; remove it: a sheet has no comments and starts with the header"
        )
    return tuple(rows)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return header and rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith(UTF16_MARKS) or b"\0" in content[:4]:
        raise SampleSheetError(f"{path}: not CSV in UTF-8, but UTF-16 ('Unicode text'); {SAVE_AS_CSV}")
    if content.startswith(b"PK\x03\x04"):
        raise SampleSheetError(f"{path}: not CSV in UTF-8, but a workbook (.xlsx, .ods); {SAVE_AS_CSV}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(content[: error.start].splitlines()) or 1
        raise SampleSheetError(
            f"{path}: not CSV in UTF-8: byte 0x{content[error.start]:02x} in line {line}; {SAVE_AS_CSV}"
        ) from None


def _parsed(path: Path, text: str) -> Iterator[SheetRow]:
    reader = csv.reader(io.StringIO(text, newline=""))
    line = 1
    try:
        for cells in reader:
            yield SheetRow(line, tuple(map(str.strip, cells)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise SampleSheetError(f"{path}: not CSV in UTF-8 (row {line}: {error}); {SAVE_AS_CSV}") from None


def _wrong_separator(header: SheetRow) -> str | None:
    text = header.cells[0]
    shown = text[4:].strip() if text.lower().startswith("sep=") else text
    for mark, name in SEPARATORS.items():
        if len(header.cells) == 1 and mark in shown:
            return f"cells are separated by {name}: save the sheet with commas"
    return None
