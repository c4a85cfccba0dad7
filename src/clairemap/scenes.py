"""The sample sheet: one row per scene, checked before anything runs."""

import datetime
import difflib
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Literal, cast, get_args

from clairemap.cell_text import expanded_cell, missing_item
from clairemap.errors import SampleSheetError, SettingsError
from clairemap.paths import hidden_character
from clairemap.sheet_file import SheetRow, read_content, sheet_rows

Split = Literal["train", "val", "test", "predict"]
SPLITS: tuple[Split, ...] = get_args(Split)
REQUIRED = {
    "scene": "unique name of the scene; part of file names",
    "region": "name of the map that the scene belongs to; all scenes of a region become one map",
    "split": "train, val, test, or predict for a scene that is only mapped",
    "optical": "file with all optical bands, band files, a product or a STAC item; empty if there is none",
    "sar": "file with all SAR bands, band files or a STAC item; empty if there is none",
    "label": "raster with class codes, or vector file with polygons; required for train and val",
}
OPTIONAL = {
    "cloud": "file with a cloud mask on any grid; empty if there is none, or to use that of the optical product",
    "optical_date": "day of the optical image, YYYY-MM-DD or YYYYMMDD",
    "sar_date": "day of the SAR image, likewise",
}
"""Optional columns of the sheet and their contents; `REQUIRED` has the others."""
FILE_COLUMNS = ("optical", "sar", "label", "cloud")
NAME_WILDCARD = "[A-Za-z0-9][A-Za-z0-9_-]*"
"""Names of scenes and regions, as a constraint of Snakemake's wildcards: without '/' and '.', which end a wildcard."""
NAME = re.compile(rf"^{NAME_WILDCARD}\Z")
DATE = re.compile(r"^(\d{4}-\d{2}-\d{2}|\d{8})\Z", re.ASCII)
MAX_NAME_CHARACTERS = 100
"""Maximum length of a name. A log's name contains region and map; file systems allow 255 bytes."""
FIRST_YEAR = 1900


@dataclass(frozen=True)
class Scene:
    """One row of the sheet. Paths in cells are expanded (`cell_text.expanded_cell`); an empty cell is None."""

    scene: str
    region: str
    split: Split
    optical: str | None
    sar: str | None
    label: str | None
    cloud: str | None
    optical_date: datetime.date | None
    sar_date: datetime.date | None

    @property
    def sources(self) -> dict[str, str]:
        """The scene's cells by role, in the order optical, sar, label, cloud; without missing roles."""
        named = {"optical": self.optical, "sar": self.sar, "label": self.label, "cloud": self.cloud}
        return {role: text for role, text in named.items() if text is not None}

    def cells_of(self, *roles: str) -> tuple[str, ...]:
        """Return the scene's cells of the given roles, in the order of `sources`."""
        return tuple(text for role, text in self.sources.items() if role in roles)

    @property
    def dates(self) -> tuple[datetime.date, ...]:
        """Acquisition dates in the sheet, optical before SAR."""
        return tuple(day for day in (self.optical_date, self.sar_date) if day is not None)


@dataclass(frozen=True)
class SampleSheet:
    """All scenes, sorted by name. A `Scene` is built when it is first used: a cluster job uses few of them.

    The order of the rows changes no result.
    """

    rows: Mapping[str, Mapping[str, str]]
    """Cells of each scene by column."""
    data_dir: Path
    digest: str
    """Hash of file and data folder."""

    def __iter__(self) -> Iterator[Scene]:
        """Return an iterator over the scenes, sorted by name."""
        return map(self.__getitem__, self.rows)

    def __getitem__(self, name: str) -> Scene:
        """Return the scene of a name.

        Raises:
            SampleSheetError: there is none.
        """
        if name not in self._built:
            if name not in self.rows:
                raise SampleSheetError(f"the sample sheet has no scene {name!r}{_similar(name, self.rows)}")
            self._built[name] = _scene(self.rows[name], self.data_dir)
        return self._built[name]

    @cached_property
    def _built(self) -> dict[str, Scene]:
        return {}

    # Planning looks up scenes for each job: searching all rows would take quadratic time.
    @cached_property
    def _by_region(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name, cells in self.rows.items():
            found.setdefault(cells["region"], []).append(name)
        return {region: tuple(names) for region, names in found.items()}

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions, in the order of their first scene."""
        return tuple(self._by_region)

    @property
    def missing_files(self) -> dict[tuple[str, str], Path]:
        """Files of the sheet that do not exist, by scene and role; of several in one cell the first."""
        found = ((scene.scene, role, missing_item(text)) for scene in self for role, text in scene.sources.items())
        return {(scene, role): path for scene, role, path in found if path is not None}

    def names_in(self, region: str) -> tuple[str, ...]:
        """Return the names of the scenes of a region.

        Raises:
            SampleSheetError: there is no such region.
        """
        if region not in self._by_region:
            raise SampleSheetError(f"the sample sheet has no region {region!r}{_similar(region, self.regions)}")
        return self._by_region[region]

    def in_region(self, region: str) -> tuple[Scene, ...]:
        """Return the scenes of a region.

        Raises:
            SampleSheetError: there is no such region.
        """
        return tuple(map(self.__getitem__, self.names_in(region)))

    def of_split(self, *splits: Split) -> tuple[Scene, ...]:
        """Return the scenes of the given splits."""
        return tuple(self[name] for name, cells in self.rows.items() if cells["split"] in splits)


@dataclass(frozen=True)
class Row:
    """A row: its line in the file, its cells by column, and its number of cells."""

    line: int
    cells: dict[str, str]
    width: int


def read_sample_sheet(path: Path, data_dir: Path, checked: str | None = None, *, trains: bool = True) -> SampleSheet:
    """Return the scenes of a CSV file. `~` and variables in paths are expanded.

    A missing raster is not an error here: only the jobs that read it fail.

    Args:
        path: CSV file.
        data_dir: folder where relative paths start.
        checked: `SampleSheet.digest` of a sheet that was checked before. A cluster job does not check the same sheet
            again: with thousands of rows this would take longer than the rest of its start.
        trains: whether a model is trained: then there must be training rows, otherwise there must be none.

    Raises:
        SampleSheetError: the file cannot be read, or rows have errors. The message lists them all, with row (line
            of the file) and remedy.
    """
    content = read_content(path)
    digest = hashlib.sha256(content + b"\0" + os.fsencode(data_dir)).hexdigest()
    header, *below = sheet_rows(path, content) or [SheetRow(1, ())]
    columns = tuple(name.lower() for name in header.cells)
    if digest != checked:
        _check(path, columns, below, data_dir, trains)
    rows = [dict(zip(columns, row.cells, strict=False)) for row in below]
    return SampleSheet({cells["scene"]: cells for cells in sorted(rows, key=itemgetter("scene"))}, data_dir, digest)


def _check(path: Path, columns: tuple[str, ...], below: list[SheetRow], data_dir: Path, trains: bool) -> None:
    rows = [_row(row, columns) for row in below]
    faults = _column_faults(columns, below) if below else ["no rows: add one row per scene below the header"]
    if not faults:
        faults = _row_faults(rows, len(columns), _folds_case(path), data_dir)
    if not faults:
        faults = _training_faults(rows) if trains else list(_surplus_faults(rows))
    if faults:
        raise SampleSheetError(f"{path}: {len(faults)} error(s)\n" + "\n".join(f"  {fault}" for fault in faults))


def _training_faults(rows: list[Row]) -> list[str]:
    if any(row.cells["split"] == "train" for row in rows):
        return []
    return [
        "no scene has split train: add at least one labelled training scene. To map new scenes with the model of this "
        "project, keep its training rows and add the new scenes as predict; the model is not trained again. To map "
        "with a model from another project, set model to its folder"
    ]


def _surplus_faults(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        if row.cells["split"] in ("train", "val"):
            yield (
                f"row {row.line}: split is {row.cells['split']}, but nothing is trained, because the setting model "
                "names a trained model: set split to test (labelled, for the accuracy) or predict"
            )


def _row(row: SheetRow, columns: tuple[str, ...]) -> Row:
    surplus = row.cells[len(columns) :]
    width = len(row.cells) if any(surplus) else len(row.cells) - len(surplus)
    return Row(row.line, dict(zip(columns, row.cells, strict=False)), width)


def _column_faults(columns: tuple[str, ...], rows: list[SheetRow]) -> list[str]:
    known = (*REQUIRED, *OPTIONAL)
    missing = [f"column '{name}' is missing: add it to the header" for name in REQUIRED if name not in columns]
    unknown = [f"unknown column {name!r}{_closest(name, known)}" for name in columns if name and name not in known]
    repeated = [
        f"column {name!r} occurs {columns.count(name)} times in the header: keep one"
        for name in dict.fromkeys(columns)
        if name and columns.count(name) > 1
    ]
    nameless = [
        f"row {row.line}: {cell!r} is in a column without a name: name the column, or remove the cell"
        for row in rows
        for name, cell in zip(columns, row.cells, strict=False)
        if cell and not name
    ]
    return missing + unknown + repeated + nameless


def _row_faults(rows: list[Row], width: int, folds_case: bool, data_dir: Path) -> list[str]:
    faults = []
    first_row: dict[str, int] = {}
    first_pair: dict[tuple[str, str], int] = {}
    region_spelling: dict[str, str] = {}
    for row in rows:
        start = f"row {row.line}"
        if row.width != width:
            faults.append(f"{start}: {row.width} cells, but the header has {width}: check the commas")
            continue
        name = row.cells["scene"].lower() if folds_case else row.cells["scene"]
        pair = _same_path(row.cells["optical"]), _same_path(row.cells["sar"])
        is_copy = any(pair) and pair in first_pair
        if name in first_row and not (is_copy and first_pair[pair] == first_row[name]):
            note = " (this file system ignores case)" if folds_case else ""
            faults.append(
                f"{start}: scene {row.cells['scene']!r} is also in row {first_row[name]}{note}: rename one of them"
            )
        first_row.setdefault(name, row.line)
        if is_copy:
            faults.append(
                f"{start}: same optical and sar files as row {first_pair[pair]}: remove one row "
                "(a scene can belong to one region only)"
            )
        first_pair.setdefault(pair, row.line)
        region = row.cells["region"]
        spelling = region_spelling.setdefault(region.lower(), region)
        if spelling != region:
            faults.append(f"{start}: region {region!r} is spelled {spelling!r} above: use one spelling")
        faults += [f"{start}: {fault}" for fault in _cell_faults(row.cells, data_dir)]
    return faults


def _cell_faults(row: dict[str, str], data_dir: Path) -> Iterator[str]:
    for column in ("scene", "region"):
        yield from _name_faults(column, row[column])
    split = row["split"]
    if split not in SPLITS:
        yield f"split {split!r} is not one of {', '.join(SPLITS)}{_closest(split, SPLITS)}"
    if not row["optical"] and not row["sar"]:
        yield "optical and sar are both empty: name at least one file"
    if split in ("train", "val") and not row["label"]:
        yield f"split is {split}, but label is empty: name a label file, or set split to predict"
    yield from _file_faults(row, data_dir)
    for column in ("optical_date", "sar_date"):
        if text := row.get(column, ""):
            yield from _date_faults(column, text)


def _name_faults(column: str, text: str) -> Iterator[str]:
    if not NAME.match(text):
        yield f"{column} {text!r}: use letters, digits, '_' and '-' (it becomes part of file names)"
    elif len(text) > MAX_NAME_CHARACTERS:
        yield (
            f"{column} {text[:40]!r}... has {len(text)} characters: use at most {MAX_NAME_CHARACTERS} "
            "(it becomes part of file names)"
        )


def _file_faults(row: dict[str, str], data_dir: Path) -> Iterator[str]:
    files = {role: row[role] for role in FILE_COLUMNS if row.get(role)}
    for role, text in files.items():
        if hidden := hidden_character(text):
            yield f"{role} {text!r} contains {hidden}: remove it"
            continue
        try:
            expanded_cell(text, data_dir)
        except SettingsError as error:
            yield f"{role}: {error}"
    for role, other in itertools.combinations(files, 2):
        # One file may contain the bands of both sensors, selected by sensors.*.indexes.
        if (role, other) != ("optical", "sar") and _same_path(files[role]) == _same_path(files[other]):
            yield f"{role} and {other} are the same file {files[role]!r}: name the {other} file"


def _date_faults(column: str, text: str) -> Iterator[str]:
    day = _day(text)
    if day is None:
        wrong = "no such day" if DATE.match(text) else "not a date: use YYYY-MM-DD, for example 2026-05-12"
        yield f"{column} {text!r}: {wrong}"
    elif day.year < FIRST_YEAR or day > datetime.date.today() + datetime.timedelta(days=1):
        yield f"{column} {text!r} is {'in the future' if day.year >= FIRST_YEAR else 'long ago'}: correct it"


def _day(text: str) -> datetime.date | None:
    """Return the date of YYYY-MM-DD or YYYYMMDD; None for other text, other ISO 8601 formats included."""
    if not DATE.match(text):
        return None
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _same_path(text: str) -> str:
    return os.path.normpath(text) if text else ""


def _folds_case(sheet: Path) -> bool:
    """Whether the sheet's file system ignores case, like those of macOS and Windows."""
    other = sheet.with_name(sheet.name.swapcase())
    return other != sheet and other.exists() and other.samefile(sheet)


def _closest(word: str, known: tuple[str, ...]) -> str:
    return _similar(word, known) or f" (known: {', '.join(known)})"


def _similar(word: str, known: Iterable[str]) -> str:
    match = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""


def _scene(cells: Mapping[str, str], data_dir: Path) -> Scene:
    def file(column: str) -> str | None:
        return expanded_cell(cells[column], data_dir) if cells.get(column) else None

    return Scene(
        scene=cells["scene"],
        region=cells["region"],
        split=cast(Split, cells["split"]),
        optical=file("optical"),
        sar=file("sar"),
        label=file("label"),
        cloud=file("cloud"),
        optical_date=_day(cells.get("optical_date", "")),
        sar_date=_day(cells.get("sar_date", "")),
    )
