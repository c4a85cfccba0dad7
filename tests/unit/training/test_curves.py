import sys
from pathlib import Path

import pytest

from clairemap.artefacts.history import HistoryStep
from clairemap.errors import SettingsError
from clairemap.training.curves import tensorboard_curves

ROW = HistoryStep(3, 0.5, 0.1, 1.25, 0.5, 0.75, 1e-3, 2.0, val_miou=0.5)


def test_without_tensorboard_the_error_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as import does where it is not installed
    with pytest.raises(SettingsError, match="pip install tensorboard"), tensorboard_curves(tmp_path, 0):
        pass


def test_without_curves_tensorboard_is_not_needed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with tensorboard_curves(None, 0) as draw:
        draw(ROW)


def test_curves_can_be_read_and_hide_later_points_of_a_killed_run(tmp_path: Path):
    # Imported here, since it takes seconds.
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for done, steps in ((0, range(1, 6)), (2, range(3, 5))):
        with tensorboard_curves(tmp_path / "run", done) as draw:
            for step in steps:
                draw(HistoryStep(step, 0.5, 0.1, 10.0 * done + step, 0.5, 0.75, 1e-3, 2.0, 0.5 if step == 2 else None))
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("training/loss")] == [
        (1, 1),
        (2, 2),
        (3, 23),
        (4, 24),
    ]
    assert [(event.step, event.value) for event in events.Scalars("validation/miou")] == [(2, 0.5)]
