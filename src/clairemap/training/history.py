"""What training reports of each step."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from clairemap.provenance import write_text_whole


@dataclass(frozen=True)
class HistoryRow:
    """One step, counted from 1. The `val_*` are those of the weights after it, if they were validated.

    `seconds` is the step's wall time without validation; `wait_seconds` is the part of it spent waiting for crops.
    `val_ece` is the expected calibration error as the network came out of the step. `val_ece_calibrated` stands in
    the row of the step whose weights are kept: that error with a temperature fitted to other tiles.
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


def write_history(rows: Iterable[HistoryRow], path: Path) -> None:
    """Write one CSV line for each step, whole or not at all; an empty cell means not validated."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(HistoryRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    write_text_whole(path, text.getvalue())
