"""The sample sheet: one row for each scene, checked as a whole when the workflow is read."""

import csv
import datetime
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from clairemap.errors import SampleSheetError

Split = Literal["train", "val", "test", "predict"]
SPLITS: tuple[Split, ...] = get_args(Split)
REQUIRED = ("scene", "region", "split", "optical", "sar", "label")
OPTIONAL = ("cloud", "optical_date", "sar_date")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]*$")


@dataclass(frozen=True)
class Scene:
    """One row of the sheet. Paths are joined with the data folder; an empty cell is None."""

    scene: str
    region: str
    split: Split
    optical: Path | None
    sar: Path | None
    label: Path | None
    cloud: Path | None
    optical_date: datetime.date | None
    sar_date: datetime.date | None

    @property
    def sources(self) -> dict[str, Path]:
        """The scene's raster files by role: optical, sar, label, cloud; only those that it has."""
        named = {"optical": self.optical, "sar": self.sar, "label": self.label, "cloud": self.cloud}
        return {role: path for role, path in named.items() if path is not None}

    @property
    def dates(self) -> tuple[datetime.date, ...]:
        """The days on which the scene was taken, as far as the sheet says."""
        return tuple(day for day in (self.optical_date, self.sar_date) if day is not None)


@dataclass(frozen=True)
class SampleSheet:
    """All scenes, in the order of the rows."""

    scenes: tuple[Scene, ...]

    def __iter__(self) -> Iterator[Scene]:
        return iter(self.scenes)

    def __getitem__(self, name: str) -> Scene:
        return next(scene for scene in self.scenes if scene.scene == name)

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions in the order of their first row."""
        return tuple(dict.fromkeys(scene.region for scene in self.scenes))

    @property
    def missing_files(self) -> tuple[Path, ...]:
        """Files that the sheet names and that don't exist."""
        return tuple(path for scene in self.scenes for path in scene.sources.values() if not path.exists())

    def in_region(self, region: str) -> tuple[Scene, ...]:
        """Return the scenes of a region."""
        return tuple(scene for scene in self.scenes if scene.region == region)

    def of_split(self, *splits: Split) -> tuple[Scene, ...]:
        """Return the scenes of the given splits."""
        return tuple(scene for scene in self.scenes if scene.split in splits)


def read_sample_sheet(path: Path, data_dir: Path) -> SampleSheet:
    """Return the scenes of a CSV file.

    Files that don't exist are no fault of the sheet: the stage that reads them fails alone, the others go on.

    Raises:
        SampleSheetError: the file can't be read or rows have faults; the text lists all, with row and remedy.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
            columns = tuple(rows[0]) if rows else ()
    except FileNotFoundError:
        raise SampleSheetError(f"{path.absolute()}: no such file; `scenes` starts at the folder you run in") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SampleSheetError(f"{path}: can't be read as CSV in UTF-8 ({error})") from None
    faults = _column_faults(columns) if rows else ["no rows: add a line for each scene below the header"]
    if not faults:
        faults = _row_faults(rows)
    if not faults and not any(row["split"].strip() == "train" for row in rows):
        faults = [
            "no scene has the split train: label at least one scene to learn from. To map new scenes with a trained "
            "model, keep its training rows and add the new ones as predict: nothing is trained again"
        ]
    if faults:
        raise SampleSheetError(f"{path}: {len(faults)} fault(s)\n" + "\n".join(f"  {fault}" for fault in faults))
    return SampleSheet(tuple(_scene(row, data_dir) for row in rows))


def _column_faults(columns: tuple[str, ...]) -> list[str]:
    known = REQUIRED + OPTIONAL
    if len(columns) == 1 and ";" in columns[0]:
        return ["cells are separated by ';': save the sheet with commas"]
    missing = [f"column '{name}' is missing: add it to the header" for name in REQUIRED if name not in columns]
    unknown = [
        f"column {name!r} is not known{_closest(name, known)}"
        for name in columns
        if name not in known and name is not None
    ]
    surplus = ["a row has more cells than the header: check its commas"] if None in columns else []
    return missing + unknown + surplus


def _row_faults(rows: list[dict[str, str]]) -> list[str]:
    faults = []
    first_row: dict[str, int] = {}
    first_pair: dict[tuple[str, str], int] = {}
    region_spelling: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            faults.append(f"row {number}: not as many cells as the header has: check its commas")
            continue
        scene = row["scene"].strip()
        if scene in first_row:
            faults.append(f"row {number}: scene {scene!r} stands in row {first_row[scene]} too: give it another name")
        first_row.setdefault(scene, number)
        pair = row["optical"].strip(), row["sar"].strip()
        if pair in first_pair:
            faults.append(
                f"row {number}: the same optical and sar files stand in row {first_pair[pair]} too: remove one"
            )
        first_pair.setdefault(pair, number)
        region = row["region"].strip()
        spelling = region_spelling.setdefault(region.lower(), region)
        if spelling != region:
            faults.append(f"row {number}: region {region!r} is spelt {spelling!r} above: use one spelling")
        faults += [f"row {number}: {fault}" for fault in _cell_faults(row)]
    return faults


def _cell_faults(row: dict[str, str]) -> Iterator[str]:
    for column in ("scene", "region"):
        if not NAME.match(row[column].strip()):
            yield f"{column} {row[column]!r}: use letters, digits, '_' and '-' (it becomes part of file names)"
    split = row["split"].strip()
    if split not in SPLITS:
        yield f"split {split!r} is none of {', '.join(SPLITS)}{_closest(split, SPLITS)}"
    if not row["optical"].strip() and not row["sar"].strip():
        yield "optical and sar are both empty: name at least one file"
    if split in ("train", "val") and not row["label"].strip():
        yield f"split is {split} but label is empty: name a label file, or set split to predict"
    for column in ("optical_date", "sar_date"):
        text = (row.get(column) or "").strip()
        try:
            datetime.date.fromisoformat(text or "2000-01-01")
        except ValueError:
            yield f"{column} {text!r} is no date: write it as 2026-11-22"


def _closest(word: str, known: tuple[str, ...]) -> str:
    match = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {match[0]!r}?)" if match else f" (known: {', '.join(known)})"


def _scene(row: dict[str, str], data_dir: Path) -> Scene:
    cells = {name: (row.get(name) or "").strip() for name in REQUIRED + OPTIONAL}

    def file(column: str) -> Path | None:
        return data_dir / cells[column] if cells[column] else None

    def date(column: str) -> datetime.date | None:
        return datetime.date.fromisoformat(cells[column]) if cells[column] else None

    return Scene(
        scene=cells["scene"],
        region=cells["region"],
        split=next(known for known in SPLITS if known == cells["split"]),
        optical=file("optical"),
        sar=file("sar"),
        label=file("label"),
        cloud=file("cloud"),
        optical_date=date("optical_date"),
        sar_date=date("sar_date"),
    )
