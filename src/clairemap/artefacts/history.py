"""Training history: ``history.csv`` with one line per step."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from clairemap.artefacts.document import first_fault
from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole


@dataclass(frozen=True)
class HistoryStep:
    """One training step, 1-based. `val_*` are measured after the step; None if it was not validated.

    `seconds` is the wall time without validation, `wait_seconds` the time of it spent waiting for crops. `val_ece` is
    the expected calibration error without temperature. `val_ece_calibrated`, set only for the step whose weights are
    kept, is that error with a temperature fitted to other tiles.
    """

    step: int
    seconds: float
    wait_seconds: float
    loss: float
    focal: float
    tversky: float
    lr: float
    grad_norm: float
    val_miou: float | None = None
    val_oa: float | None = None
    val_ece: float | None = None
    val_ece_calibrated: float | None = None


HISTORY_COLUMNS = tuple(field.name for field in fields(HistoryStep))


def write_history(path: Path, steps: Iterable[HistoryStep]) -> None:
    """Write one CSV line per step, atomically; empty cells mean not validated."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(step) for step in steps)
    write_text_whole(path, text.getvalue())


def read_history(path: Path) -> tuple[HistoryStep, ...]:
    """Return the training steps in order.

    Raises:
        StoreError: the file is missing or not a valid history; the message names line and column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != HISTORY_COLUMNS:
                raise ValueError(f"line 1: the columns are {rows.fieldnames}, expected {list(HISTORY_COLUMNS)}")
            return tuple(_step(row, line) for line, row in enumerate(rows, start=2))
    except (OSError, ValueError, csv.Error) as error:
        raise StoreError(
            f"{path}: not a valid training history ({error}); delete it and run train_model again"
        ) from None


def _step(row: Mapping[str, str | None], line: int) -> HistoryStep:
    try:
        return _STEP.validate_python({name: text or None for name, text in row.items()})
    except ValidationError as error:
        raise ValueError(f"line {line}: {first_fault(error)}") from None


_STEP = TypeAdapter(HistoryStep)
