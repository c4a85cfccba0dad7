from pathlib import Path

import pandas as pd
import pytest

from clairemap.artefacts.history import HistoryStep, read_history, write_history
from clairemap.errors import StoreError


def test_round_trip(tmp_path: Path):
    rows = [
        HistoryStep(1, 0.5, 0.1, 1.25, 0.5, 0.75, 1e-3, 2.0),
        HistoryStep(2, 0.4, 0.0, 1 / 3, 0.5, 0.75, 2e-3, 1.5, 0.0, 0.9, 0.2, 0.1),
    ]
    write_history(tmp_path / "new" / "history.csv", rows)
    table = pd.read_csv(tmp_path / "new" / "history.csv")
    assert list(table.columns) == [
        *("step", "seconds", "wait_seconds", "loss", "focal", "tversky", "lr", "grad_norm"),
        *("val_miou", "val_oa", "val_ece", "val_ece_calibrated"),
    ]
    assert list(table["loss"]) == pytest.approx([1.25, 1 / 3], rel=1e-15)
    assert table["val_miou"].isna().tolist() == [True, False]
    assert table.iloc[1, -4:].tolist() == [0.0, 0.9, 0.2, 0.1]
    assert read_history(tmp_path / "new" / "history.csv") == tuple(rows)


HEADER = "step,seconds,wait_seconds,loss,focal,tversky,lr,grad_norm,val_miou,val_oa,val_ece,val_ece_calibrated\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "No such file"),
        ("", "line 1"),
        ("step,loss\n1,2\n", "line 1: the columns"),
        (HEADER + "1,1,1,1,1,1,1,1,,,,\n2,1,1,much,1,1,1,1,,,,\n", "line 3: loss: .*got 'much'"),
        (HEADER + "1,1,1\n", "line 2: loss"),
    ],
)
def test_error_names_file_and_line(tmp_path: Path, text: str | None, expected: str):
    path = tmp_path / "history.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(
        StoreError, match=rf"history\.csv: not a valid training history \(.*{expected}.*run train_model again"
    ):
        read_history(path)


def test_history_without_steps_is_valid(tmp_path: Path):
    write_history(tmp_path / "history.csv", [])
    assert read_history(tmp_path / "history.csv") == ()
