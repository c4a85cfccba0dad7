"""The sample sheet as a file: its bytes become rows that know their line."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clairemap.errors import SampleSheetError

WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SAVE_AGAIN = "save it as 'CSV UTF-8 (comma delimited)'"
SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}


@dataclass(frozen=True)
class SheetRow:
    """The cells of one row, without the blanks around them, and the line of the file where the row begins."""

    line: int
    cells: tuple[str, ...]


def read_rows(path: Path) -> tuple[SheetRow, ...]:
    """Return the header and the rows below it; rows without any text, and what Excel's ``sep=,`` says, are left out.

    Raises:
        SampleSheetError: the file is missing, not text in UTF-8, or its cells are not separated by commas.
    """
    rows = [row for row in _parsed(path, _decoded(path)) if any(row.cells)]
    if rows and (hint := _foreign_separator(rows[0])):
        raise SampleSheetError(f"{path}: {hint}")
    if rows and rows[0].cells[0].lower().startswith("sep="):
        rows = rows[1:]
    if rows and rows[0].cells[0].startswith("#"):
        raise SampleSheetError(
            f"{path}: row {rows[0].line} begins with '#': a sheet has no comments, remove it; the header comes first"
        )
    return tuple(rows)


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SampleSheetError(f"{path.absolute()}: no such file; `scenes` starts at the folder you run in") from None
    except OSError as error:
        raise SampleSheetError(f"{path}: can't be read ({error.strerror}); `scenes` names a CSV file") from None
    if content.startswith(WIDE_MARKS) or b"\0" in content[:4]:
        raise SampleSheetError(f"{path}: can't be read as CSV in UTF-8: it is UTF-16 ('Unicode text'); {SAVE_AGAIN}")
    if content.startswith(b"PK\x03\x04"):
        raise SampleSheetError(f"{path}: can't be read as CSV in UTF-8: it is a workbook (.xlsx, .ods); {SAVE_AGAIN}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(content[: error.start].splitlines()) or 1
        raise SampleSheetError(
            f"{path}: can't be read as CSV in UTF-8: byte 0x{content[error.start]:02x} in line {line}; {SAVE_AGAIN}"
        ) from None


def _parsed(path: Path, text: str) -> Iterator[SheetRow]:
    reader = csv.reader(io.StringIO(text, newline=""))
    line = 1
    try:
        for cells in reader:
            yield SheetRow(line, tuple(cell.strip() for cell in cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise SampleSheetError(f"{path}: can't be read as CSV in UTF-8 (row {line}: {error})") from None


def _foreign_separator(header: SheetRow) -> str | None:
    text = header.cells[0]
    told = text[4:].strip() if text.lower().startswith("sep=") else text
    for mark, name in SEPARATORS.items():
        if len(header.cells) == 1 and mark in told:
            return f"cells are separated by {name}: save the sheet with commas"
    return None
