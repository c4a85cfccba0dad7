from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from clairemap.errors import TimeBudgetError, TrainingError
from clairemap.training import loop
from clairemap.training.checkpoint import CheckpointFolder
from clairemap.training.deadline import Deadline
from clairemap.training.distributed import Processes
from clairemap.training.job import Trained, TrainingJob
from clairemap.training.loop import train

MadeJob = Callable[..., TrainingJob]
STAMP = {"clairemap_version": "test"}


@pytest.fixture(scope="module", autouse=True)
def no_halo_is_measured():
    """Measuring is tested with the networks and takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "measured_halo_px", lambda _: (256, 2e-5))
        yield


@pytest.fixture(scope="module")
def undisturbed(made_job: MadeJob, alone: Processes, tmp_path_factory: pytest.TempPathFactory):
    return train(made_job(tmp_path_factory.mktemp("whole"), steps=5), alone, STAMP)


def weights(trained: Trained):
    return trained.network.state_dict()


def assert_same_run(trained: Trained, other: Trained):
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(trained).items())
    assert [(row.step, row.loss, row.grad_norm, row.val_miou) for row in trained.history] == [
        (row.step, row.loss, row.grad_norm, row.val_miou) for row in other.history
    ]
    assert trained.card == other.card


def killed_after(step: int, monkeypatch: pytest.MonkeyPatch):
    do_step = loop._step

    def dies(machinery: object, feed: object, number: int):
        if number == step:
            raise KeyboardInterrupt
        return do_step(machinery, feed, number)

    monkeypatch.setattr(loop, "_step", dies)


def checkpoints(job: TrainingJob):
    return sorted(path.name for path in (job.checkpoints / job.fingerprint).iterdir())


def test_training_lowers_the_loss_of_an_easy_problem(made_job: MadeJob, alone: Processes, tmp_path: Path):
    trained = train(made_job(tmp_path, steps=30, validate_every=15, checkpoint_every=30), alone, STAMP)
    losses = [row.loss for row in trained.history]
    assert sum(losses[-5:]) < 0.4 * sum(losses[:5])
    assert trained.history[-1].val_miou > 0.7
    assert [row.step for row in trained.history if row.val_miou is not None] == [15, 30]
    assert not trained.network.training


def test_the_card_tells_what_was_trained(undisturbed: Trained, made_job: MadeJob, tmp_path: Path):
    job, card = made_job(tmp_path), undisturbed.card
    scores = {row.step: row.val_miou for row in undisturbed.history if row.val_miou is not None}
    assert set(scores) == {2, 4, 5}
    assert card.best_step == max(scores, key=scores.__getitem__)
    assert card.legend.names == ("water", "fields", "town")
    assert (card.optical_bands.names, card.sar_bands.mean) == (("red", "nir"), job.statistics.sar.mean)
    assert (card.sar_scale, card.stamp) == ("db", STAMP)
    assert (card.trained_on.scenes, card.trained_on.pixels) == (("a",), sum(job.statistics.class_px))
    assert card.trained_on.validation_tiles == 2
    assert (card.halo_px, card.halo_sigma) == (256, 2e-5)


def test_a_killed_run_ends_as_if_it_had_not_been(
    undisturbed: Trained, made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        killed_after(3, patch)
        train(job, alone, STAMP)
    assert checkpoints(job) == ["step-000002.pt"]
    assert_same_run(train(job, alone, STAMP), undisturbed)
    assert checkpoints(job) == ["step-000005.pt"]


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    undisturbed: Trained,
    made_job: MadeJob,
    alone: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    job = made_job(tmp_path, steps=5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        killed_after(4, patch)
        train(job, alone, STAMP)
    (job.checkpoints / job.fingerprint / "step-000004.pt").write_bytes(b"half")
    with caplog.at_level("INFO"):
        assert_same_run(train(job, alone, STAMP), undisturbed)
    assert "step-000004.pt is damaged" in caplog.text
    assert "going on after step 2 of 5" in caplog.text


def test_a_finished_run_is_not_trained_again(
    made_job: MadeJob,
    alone: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    job = made_job(tmp_path, steps=2)
    first = train(job, alone, STAMP)
    killed_after(0, monkeypatch)
    with caplog.at_level("INFO"):
        assert_same_run(train(job, alone, STAMP), first)
    assert "nothing to train" in caplog.text


def test_other_settings_never_take_up_a_checkpoint(
    made_job: MadeJob, alone: Processes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    train(made_job(tmp_path, steps=2), alone, STAMP)
    with caplog.at_level("INFO"):
        train(made_job(tmp_path, steps=2, learning_rate=1e-4), alone, STAMP)
    assert "nothing to train" not in caplog.text
    assert len(list(tmp_path.iterdir())) == 2


def test_a_time_budget_stops_in_time_and_the_next_run_goes_on(
    undisturbed: Trained, made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=5, minutes=7)
    answers = iter([False, False, True])
    with monkeypatch.context() as patch, pytest.raises(TimeBudgetError, match="7 minutes .* step 3 of 5") as caught:
        patch.setattr(Deadline, "is_near", lambda _: next(answers))
        train(job, alone, STAMP)
    assert caught.value.exit_code == 75
    assert checkpoints(job) == ["step-000002.pt", "step-000003.pt"]
    assert_same_run(train(job, alone, STAMP), undisturbed)


def test_time_that_is_up_after_the_last_step_stops_nothing(
    made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Deadline, "is_near", lambda _: True)
    assert len(train(made_job(tmp_path, steps=1), alone, STAMP).history) == 1


def test_a_loss_that_is_not_finite_stops_before_weights_are_spoilt(
    made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=4)
    real = loop.batches

    def poisoned(*arguments: object):
        for number, batch in enumerate(real(*arguments)):
            yield batch._replace(optical_weight=batch.optical_weight * float("inf")) if number == 2 else batch

    monkeypatch.setattr(loop, "batches", poisoned)
    with pytest.raises(TrainingError, match="step 3: .*learning_rate"):
        train(job, alone, STAMP)
    folder = CheckpointFolder(job.checkpoints / job.fingerprint)
    saved = folder.load(folder.newest())
    assert len(saved["history"]) == 2
    assert all(torch.isfinite(value).all() for value in saved["network"].values())


def test_without_a_validation_tile_the_last_weights_stay(
    made_job: MadeJob, alone: Processes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    trained = train(made_job(tmp_path, second="train", steps=3), alone, STAMP)
    assert "no validation tile" in caplog.text
    assert (trained.card.best_step, trained.card.trained_on.validation_tiles) == (3, 0)
    assert all(row.val_miou is None for row in trained.history)


def test_biases_and_norms_are_not_decayed(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path, weight_decay=0.3)
    network = loop._network(job)
    matrices, vectors = loop._optimiser(network, job.settings.training).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0)
    assert all(weight.ndim > 1 for weight in matrices["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(network.parameters()))
