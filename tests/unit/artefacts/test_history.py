from pathlib import Path

import pandas as pd
import pytest

from clairemap.artefacts.history import HistoryStep, write_history


def test_rows_come_back_from_the_file(tmp_path: Path):
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
