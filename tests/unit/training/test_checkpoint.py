from pathlib import Path

import pytest
import torch

from clairemap.errors import StoreError
from clairemap.training.checkpoint import CheckpointFolder


def state(number: float):
    return {"weights": {"a": torch.full((3,), number)}, "history": [(1, 0.5, None)]}


def names(folder: CheckpointFolder):
    return sorted(path.name for path in folder.path.iterdir())


@pytest.fixture
def folder(tmp_path: Path):
    return CheckpointFolder(tmp_path / "fingerprint")


def test_the_newest_state_is_loaded(folder: CheckpointFolder):
    folder.save(5, state(5))
    folder.save(10, state(10))
    assert folder.newest() == "step-000010.pt"
    loaded = folder.load("step-000010.pt")
    assert torch.equal(loaded["weights"]["a"], torch.full((3,), 10.0))
    assert loaded["history"] == [(1, 0.5, None)]


def test_a_missing_folder_has_no_checkpoint(folder: CheckpointFolder):
    assert folder.newest() is None


def test_the_last_two_are_kept_and_one_when_finished(folder: CheckpointFolder):
    for step in (999_998, 999_999, 1_000_000):
        folder.save(step, state(step))
    assert names(folder) == ["step-1000000.pt", "step-999999.pt"]
    assert folder.newest() == "step-1000000.pt"
    folder.finish()
    assert names(folder) == ["step-1000000.pt"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "other"])
def test_a_damaged_file_is_logged_and_the_previous_one_is_used(
    folder: CheckpointFolder, damage: str, caplog: pytest.LogCaptureFixture
):
    folder.save(1, state(1))
    last = folder.save(2, state(2))
    whole = last.read_bytes()
    flipped = bytes([*whole[:200], whole[200] ^ 1, *whole[201:]])
    last.write_bytes({"truncated": whole[:-1], "flipped": flipped, "empty": b"", "other": b"PK\x03\x04"}[damage])
    with pytest.raises(StoreError, match=r"step-000002\.pt"):
        folder.load("step-000002.pt")
    assert folder.newest() == "step-000001.pt"
    assert "step-000002.pt: damaged checkpoint deleted" in caplog.text
    assert names(folder) == ["step-000001.pt"]


def test_damaged_files_of_later_steps_replace_no_undamaged_one(folder: CheckpointFolder):
    for step in (100, 150):
        folder.save(step, state(step)).write_bytes(b"half")
    assert folder.newest() is None
    folder.save(50, state(50))
    assert folder.newest() == "step-000050.pt"
    folder.finish()
    assert folder.newest() == "step-000050.pt"


def test_a_process_that_cannot_read_the_file_names_the_file_system(folder: CheckpointFolder):
    with pytest.raises(StoreError, match=r"step-000005\.pt: .* missing .* file system that all nodes share"):
        folder.load("step-000005.pt")


def test_if_all_files_are_damaged_training_starts_over_with_a_warning(
    folder: CheckpointFolder, caplog: pytest.LogCaptureFixture
):
    for step in (1, 2):
        folder.save(step, state(step)).write_bytes(b"half")
    assert folder.newest() is None
    assert [f"step-00000{step}.pt: damaged" in caplog.text for step in (1, 2)] == [True, True]
    assert "training starts over" in caplog.text


def test_an_interrupted_write_leaves_the_previous_checkpoint(folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch):
    folder.save(1, state(1))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.save(2, state(2))
    assert folder.newest() == "step-000001.pt"
