"""Files with answers of interpreters: CSV as spreadsheets write it, GeoPackage, GeoJSON and other vector files."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clairemap.accuracy.places import Place, places_in_row, places_of_geometries
from clairemap.errors import SampleError
from clairemap.text import shortened

Content = Literal["id", "reference", "second", "confidence", "remark"]

COLUMNS: dict[Content, tuple[str, ...]] = {
    "id": ("id", "pl_id", "plotid", "plot_id", "sample_id", "sampleid", "point_id"),
    "reference": (
        *("reference", "reference_class", "ref_class", "is labeled as", "is labeled"),
        *("class", "class_name", "land cover", "landcover", "label"),
    ),
    "second": ("reference_2", "second", "second_class", "interpreter_2"),
    "confidence": ("confidence", "certainty"),
    "remark": ("remark", "comment", "comments", "notes"),
}
"""Accepted column names, in lower case, by content, the first that exists counts. `id` and `reference` are required.

AcATaMa writes `ID`, `Label` and, with a thematic map, `Is labeled as` (code; cut to 10 characters in a shapefile): see
`save_sampling_labeled` in AcATaMa/core/response_design.py. Collect Earth Online's sample data have `plotid`, `sampleid`
(its own number), `pl_` before columns of the uploaded file, and a column for each question: see
`dump-project-raw-data!` in collect_earth_online/db/projects.clj.
"""

REQUIRED: tuple[Content, ...] = ("id", "reference")
DELIMITERS = ",;\t"
DELIMITER_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""First line of some spreadsheets' files."""

WHOLE = re.compile(r"(\d+)[.,]0+")
"""A whole number with decimals."""

PLOT_DATA = "these are plot data of Collect Earth Online, with shares of answers; download its sample data"
ENCODINGS = ("utf-8-sig", "utf-16", "cp1252")
EXAMPLES = 5

Table = tuple[list[str], Sequence[Sequence[object]], list[tuple[Place, ...]]]
"""Header, rows, and the places of each row."""


@dataclass(frozen=True)
class Answer:
    """The answer of an interpreter for one unit: texts as in the file, empty where there is none.

    `places` are where the file says that the unit is; answers may be equal in spite of them.
    """

    id: str
    reference: str
    second: str = ""
    confidence: str = ""
    remark: str = ""
    places: tuple[Place, ...] = field(default=(), compare=False)

    @property
    def is_given(self) -> bool:
        """Whether the first interpreter has answered."""
        return bool(self.reference)

    @property
    def is_touched(self) -> bool:
        """Whether anything has been filled in."""
        return any((self.reference, self.second, self.confidence, self.remark))


def read_answers(path: Path, columns: Mapping[Content, str] | None = None) -> list[Answer]:
    """Return the answers in a file, in its order.

    CSV may be separated by comma, semicolon or tab, in UTF-8, UTF-16 or Windows-1252.

    Args:
        path: file to read.
        columns: names of columns by content (`COLUMNS`), for files with other names.

    Raises:
        SampleError: the file is missing, cannot be read, lacks a column or has it twice; it has rows longer than its
            header, or several layers with answers.
    """
    if not path.is_file():
        raise SampleError(f"{path}: does not exist; correct accuracy.interpreted")
    is_text = path.suffix.lower() in (".csv", ".txt", ".tsv")
    header, rows, places = _csv_table(path) if is_text else _vector_table(path, columns or {})
    order = _order(path, header, columns or {})
    return [
        Answer(
            **{str(content): _text(row[column]) if column < len(row) else "" for content, column in order.items()},
            places=here,
        )
        for row, here in zip(rows, places, strict=True)
        if any(_text(cell) for cell in row)
    ]


def _order(path: Path, header: Sequence[str], named: Mapping[Content, str]) -> dict[Content, int]:
    """Return the column of each content."""
    lower = [name.strip().lower() for name in header]
    order: dict[Content, int] = {}
    for content in COLUMNS:
        wanted = _wanted(content, named)
        found = [name for name in wanted if name in lower]
        if found and lower.count(found[0]) > 1:
            raise SampleError(f"{path}: has several columns {found[0]!r}; delete or rename all but one of them")
        if found:
            order[content] = lower.index(found[0])
        elif content in REQUIRED or content in named:
            remedy = f"rename it, or set accuracy.columns.{content} to its name"
            raise SampleError(
                f"{path}: has no column {' or '.join(wanted)} (columns: {', '.join(header)}); "
                f"{PLOT_DATA if 'sample_points' in lower else remedy}"
            )
    return order


def _wanted(content: Content, named: Mapping[Content, str]) -> Sequence[str]:
    return [named[content].lower()] if content in named else COLUMNS[content]


def _csv_table(path: Path) -> Table:
    text = _decoded(path, path.read_bytes())
    stated = DELIMITER_LINE.match(text)
    text = text[stated.end() :] if stated else text
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = stated[1] if stated else max(DELIMITERS, key=first.count)
    try:
        header, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise SampleError(f"{path}: is empty or not a CSV table ({error}); save it as CSV again") from None
    if longer := [place for place, row in enumerate(rows, 2) if any(_text(cell) for cell in row[len(header) :])]:
        raise SampleError(
            f"{path}: {len(longer)} row(s) have more cells than the header, so that answers may be in a wrong column: "
            f"row {shortened(longer, EXAMPLES)}; put texts that contain {delimiter!r} in quotation marks, and give "
            "each column a name"
        )
    return header, rows, [places_in_row(header, row) for row in rows]


def _decoded(path: Path, content: bytes) -> str:
    for encoding in ENCODINGS:
        if encoding == "utf-16" and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SampleError(f"{path}: its text encoding is unknown; save it as CSV with UTF-8")


def _vector_table(path: Path, named: Mapping[Content, str]) -> Table:
    import pyogrio  # noqa: PLC0415 - only for vector files

    try:
        fields = {str(layer): pyogrio.read_info(path, layer=layer)["fields"] for layer, _ in pyogrio.list_layers(path)}
        info, _, wkb, columns = pyogrio.raw.read(path, layer=_layer(path, fields, named), force_2d=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, ValueError) as error:
        raise SampleError(f"{path}: cannot be read ({error}); save it as CSV, GeoPackage or GeoJSON") from None
    header, rows = [str(name) for name in info["fields"]], [list(row) for row in zip(*columns, strict=True)]
    if wkb is None or not info["crs"]:
        return header, rows, [places_in_row(header, row) for row in rows]
    return header, rows, places_of_geometries(wkb, info["crs"])


def _layer(path: Path, fields: Mapping[str, Sequence[str]], named: Mapping[Content, str]) -> str:
    """Return the layer with the answers; QGIS adds tables of its own, such as styles."""
    lower = {layer: {str(name).strip().lower() for name in names} for layer, names in fields.items()}
    found = [layer for layer in lower if all(lower[layer] & {*_wanted(content, named)} for content in REQUIRED)]
    if len(found) > 1:
        raise SampleError(
            f"{path}: has several layers with answers ({shortened(found, EXAMPLES)}); save the one that was filled in "
            "as a file of its own"
        )
    return next(iter([*found, *fields]), "")


def _text(cell: object) -> str:
    """Return a cell as text: whole numbers without decimals; nothing for missing values."""
    if cell is None or cell != cell:
        return ""
    text = str(cell).strip()
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


def examples(ids: Iterable[str]) -> str:
    """Return some ids for a message."""
    return shortened(sorted(ids), EXAMPLES)
