import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import zarr

from clairemap.errors import TimeBudgetError, TrainingError
from clairemap.settings import AugmentationSettings
from clairemap.tiles.dataset import TileSource
from clairemap.training import loop, model, step
from clairemap.training.checkpoint import CheckpointFolder
from clairemap.training.deadline import Deadline
from clairemap.training.distributed import Processes
from clairemap.training.job import TrainingJob, TrainingResult
from clairemap.training.loop import train
from clairemap.training.step import StepContext
from clairemap.training.validation import Validation
from clairemap.validity import Validity

MadeJob = Callable[..., TrainingJob]
STAMP = {"clairemap_version": "test"}


@pytest.fixture(scope="module", autouse=True)
def no_halo_is_measured():
    """Skip measuring the halo, which is tested in nets and takes longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "measured_halo_px", lambda _: (256, 2e-5))
        yield


@pytest.fixture(scope="module")
def undisturbed(made_job: MadeJob, alone: Processes, tmp_path_factory: pytest.TempPathFactory):
    return train(made_job(tmp_path_factory.mktemp("whole"), steps=5), alone, STAMP)


def weights(trained: TrainingResult):
    return trained.network.state_dict()


def assert_same_run(trained: TrainingResult, other: TrainingResult):
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(trained).items())
    assert [(row.step, row.loss, row.grad_norm, row.val_miou) for row in trained.history] == [
        (row.step, row.loss, row.grad_norm, row.val_miou) for row in other.history
    ]
    assert trained.card == other.card


def killed_after(step: int, monkeypatch: pytest.MonkeyPatch):
    train_step = loop.train_step

    def dies(context: object, feed: object, number: int):
        if number == step:
            raise KeyboardInterrupt
        return train_step(context, feed, number)

    monkeypatch.setattr(loop, "train_step", dies)


def checkpoints(job: TrainingJob):
    return sorted(path.name for path in (job.checkpoints / job.fingerprint).iterdir())


def test_training_lowers_the_loss_of_an_easy_problem(made_job: MadeJob, alone: Processes, tmp_path: Path):
    job = made_job(tmp_path, steps=24, validate_every=12, checkpoint_every=24)
    plain = AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=0, holes=0)
    job = replace(job, settings=job.settings.model_copy(update={"augmentation": plain}))
    trained = train(job, alone, STAMP)
    losses = [row.loss for row in trained.history]
    assert sum(losses[-5:]) < 0.4 * sum(losses[:5])
    assert trained.history[-1].val_miou > 0.7
    assert [row.step for row in trained.history if row.val_miou is not None] == [12, 24]
    assert not trained.network.training


def test_the_card_describes_the_training(undisturbed: TrainingResult, made_job: MadeJob, tmp_path: Path):
    job, card = made_job(tmp_path), undisturbed.card
    scores = {row.step: row.val_miou for row in undisturbed.history if row.val_miou is not None}
    assert set(scores) == {2, 4, 5}
    assert card.best_step == max(scores, key=scores.__getitem__)
    assert card.legend.names == ("water", "fields", "town")
    assert (card.optical_bands.names, card.sar_bands.mean) == (("red", "nir"), job.statistics.sar.mean)
    assert (card.sar_scale, card.stamp) == ("db", STAMP)
    assert card.software["torch"] == torch.__version__ and set(card.software) == {"python", "torch", "numpy"}
    assert (card.trained_on.scenes, card.trained_on.pixels) == (("a",), sum(job.statistics.class_px))
    assert card.trained_on.validation_tiles == 2
    assert (card.trained_on.class_px, card.trained_on.unseen_classes) == (job.statistics.class_px, ())
    assert (card.halo_px, card.halo_sigma) == (256, 2e-5)
    assert set(card.settings) == {"seed", "loss", "training", "augmentation"}
    assert card.settings["loss"] == job.settings.loss.model_dump()
    assert card.settings["training"]["steps"] == 5 and "initial_sar" not in card.settings["training"]


def test_a_killed_run_ends_like_an_uninterrupted_one(
    undisturbed: TrainingResult, made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=5)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        killed_after(3, patch)
        train(job, alone, STAMP)
    assert checkpoints(job) == ["step-000002.pt"]
    assert_same_run(train(job, alone, STAMP), undisturbed)
    assert checkpoints(job) == ["step-000005.pt"]


def test_a_damaged_checkpoint_costs_the_steps_since_the_one_before(
    undisturbed: TrainingResult,
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
    assert "step-000004.pt: damaged" in caplog.text
    assert "resuming after step 2 of 5" in caplog.text


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
    assert "already trained" in caplog.text


def scored(monkeypatch: pytest.MonkeyPatch, *mious: float):
    """Let validations return these mean IoUs, one after the other."""
    answers = iter(mious)
    monkeypatch.setattr(loop, "validate", lambda *_: Validation(next(answers), 0.5, 0.1))


def test_early_stopping_stops_and_stays_stopped(
    made_job: MadeJob,
    alone: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    job = made_job(tmp_path, steps=9, validate_every=1, checkpoint_every=4, patience=2)
    scored(monkeypatch, 0.2, 0.4, 0.4, 0.3)
    with caplog.at_level("INFO"):
        first = train(job, alone, STAMP)
    assert [row.val_miou for row in first.history] == [0.2, 0.4, 0.4, 0.3]
    assert first.card.best_step == 2
    assert "early stopping after step 4 of 9" in caplog.text
    assert "2 validations without improvement over step 2" in caplog.text
    assert checkpoints(job) == ["step-000004.pt"]
    with caplog.at_level("INFO"):
        assert_same_run(train(job, alone, STAMP), first)
    assert "already trained" in caplog.text


def test_a_better_validation_resets_patience(
    made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=5, validate_every=1, checkpoint_every=9, patience=2, calibrate=False)
    scored(monkeypatch, 0.2, 0.1, 0.3, 0.2, 0.25)
    trained = train(job, alone, STAMP)
    assert len(trained.history) == 5
    assert (trained.card.temperature, trained.card.calibration) == (1, None)


def test_the_average_of_the_weights_is_what_is_validated_and_kept(
    made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = []
    after_steps = []

    def watched_step(context: StepContext, feed: object, number: int):
        row = step.train_step(context, feed, number)
        after_steps.append({name: value.detach().clone() for name, value in context.ddp_network.named_parameters()})
        return row

    def watched_validation(network: torch.nn.Module, *_: object):
        seen.append({name: value.clone() for name, value in network.named_parameters()})
        return Validation(0.5, 0.5, 0.1)

    monkeypatch.setattr(loop, "train_step", watched_step)
    monkeypatch.setattr(loop, "validate", watched_validation)
    job = made_job(tmp_path, steps=2, validate_every=2, ema_decay=0.75, calibrate=False)
    trained = train(job, alone, STAMP)
    averaged = {name: value for name, value in weights(trained).items() if name in seen[0]}  # not buffers
    assert averaged.keys() == seen[0].keys()
    for name, value in averaged.items():
        mean = (0.75 * after_steps[0][name] + after_steps[1][name]) / 1.75
        assert torch.allclose(seen[0][name], mean, atol=1e-7), name
        assert torch.equal(value, seen[0][name])


def test_training_starts_over_if_all_checkpoints_are_damaged(
    undisturbed: TrainingResult,
    made_job: MadeJob,
    alone: Processes,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    job = made_job(tmp_path, steps=5)
    folder = job.checkpoints / job.fingerprint
    folder.mkdir(parents=True)
    for number in (2, 4):
        (folder / f"step-00000{number}.pt").write_bytes(b"half")
    assert_same_run(train(job, alone, STAMP), undisturbed)
    assert "training starts over" in caplog.text


def test_the_temperature_is_on_the_card_and_its_error_in_the_history(undisturbed: TrainingResult):
    card, history = undisturbed.card, undisturbed.history
    assert card.temperature != 1
    fit = card.calibration
    assert fit.tiles == 2
    (calibrated,) = [row for row in history if row.val_ece_calibrated is not None]
    assert (calibrated.step, calibrated.val_ece_calibrated) == (card.best_step, fit.ece_after)
    assert calibrated.val_ece == pytest.approx(fit.ece_before, abs=1e-6)  # few pixels, so all are used
    assert [row.val_ece is None for row in history] == [row.val_miou is None for row in history]


def test_other_settings_never_resume_a_checkpoint(
    made_job: MadeJob, alone: Processes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    train(made_job(tmp_path, steps=2), alone, STAMP)
    with caplog.at_level("INFO"):
        train(made_job(tmp_path, steps=2, learning_rate=1e-4), alone, STAMP)
    assert "already trained" not in caplog.text
    assert len(list(tmp_path.iterdir())) == 2


def test_a_time_budget_stops_in_time_and_the_next_run_resumes(
    undisturbed: TrainingResult, made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path, steps=5, minutes=7)
    answers = iter([False, False, True])
    with monkeypatch.context() as patch, pytest.raises(TimeBudgetError, match="7 minutes .* step 3 of 5") as caught:
        patch.setattr(Deadline, "is_near", lambda _: next(answers))
        train(job, alone, STAMP)
    assert caught.value.exit_code == 75
    assert checkpoints(job) == ["step-000002.pt", "step-000003.pt"]
    assert_same_run(train(job, alone, STAMP), undisturbed)


def test_a_time_budget_used_up_by_the_last_step_stops_nothing(
    made_job: MadeJob, alone: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Deadline, "is_near", lambda _: True)
    assert len(train(made_job(tmp_path, steps=1), alone, STAMP).history) == 1


def test_a_loss_that_is_not_finite_stops_before_the_update(
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


def pair_of(dtype: type | None):
    """Return a pair whose optical image has this type; without an image (None) the array has 8 bits."""
    attributes = SimpleNamespace(sources={"sar": "sar.tif"} if dtype is None else {"optical": "optical.tif"})
    arrays = {"optical": np.zeros(1, dtype or np.uint8)}
    return SimpleNamespace(array=arrays.__getitem__, attributes_as=lambda _: attributes)


@pytest.mark.parametrize(
    ("dtypes", "settings", "named"),
    [
        ((np.uint8, np.uint8), {}, "2 scenes"),
        ((np.uint16, np.uint8), {}, "b"),
        ((np.uint16, np.uint16), {}, None),
        ((np.uint16, None), {}, None),
        ((np.uint8, np.uint8), {"training": {"normalisation": "scene"}}, None),
        ((np.uint8, np.uint8), {"network": {"sensors": "optical"}}, "2 scenes"),
        ((np.uint8, np.uint8), {"network": {"sensors": "sar"}}, None),
    ],
)
def test_8_bit_images_that_are_normalised_all_alike_are_named(
    made_job: MadeJob,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    dtypes: tuple[type, type | None],
    settings: dict[str, dict[str, str]],
    named: str | None,
):
    stores: Any = {scene: pair_of(dtype) for scene, dtype in zip("ab", dtypes, strict=True)}
    job = made_job(tmp_path)
    changed = {
        section: getattr(job.settings, section).model_copy(update=values) for section, values in settings.items()
    }
    job = replace(job, settings=job.settings.model_copy(update=changed))
    loop._advise_normalisation(job, TileSource(stores, "fused"))
    shown = [record.getMessage().split(",")[0] for record in caplog.records]
    assert shown == ([] if named is None else [f"optical images of 8 bits ({named})"])


def test_without_a_validation_tile_the_last_weights_stay(
    made_job: MadeJob, alone: Processes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    trained = train(made_job(tmp_path, second="train", steps=3), alone, STAMP)
    assert "no labelled validation tiles" in caplog.text
    assert (trained.card.best_step, trained.card.trained_on.validation_tiles) == (3, 0)
    assert all(row.val_miou is None for row in trained.history)
    assert (trained.card.temperature, trained.card.calibration) == (1, None)


def test_clouded_validation_tiles_select_nothing_for_optical_alone(
    made_job: MadeJob, alone: Processes, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    job = made_job(tmp_path / "checkpoints", steps=4, validate_every=1, patience=1)
    clouded = tmp_path / "b" / "pair.zarr"
    shutil.copytree(job.stores["b"], clouded)
    shutil.copy(job.stores["b"].with_suffix(".json"), clouded.with_suffix(".json"))
    zarr.open_group(clouded, mode="r+")["validity"][:] = int(Validity.CLOUD)
    network = job.settings.network.model_copy(update={"sensors": "optical"})
    settings = job.settings.model_copy(update={"network": network})
    trained = train(replace(job, stores={**job.stores, "b": clouded}, settings=settings), alone, STAMP)
    text = "no validation tile has labelled pixels where network.sensors (optical) is usable: the last step's weights"
    assert caplog.text.count(text) == 1
    assert (trained.card.best_step, trained.card.trained_on.validation_tiles) == (4, 0)
    assert [(row.val_miou, row.val_oa, row.val_ece) for row in trained.history] == [(None, None, None)] * 4
    assert (trained.card.temperature, trained.card.calibration) == (1, None)


def test_biases_and_norms_are_not_decayed(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path, weight_decay=0.3)
    network = model.new_network(job)
    matrices, vectors = model.new_optimiser(network, job.settings.training).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.3, 0)
    assert all(weight.ndim > 1 for weight in matrices["params"])
    assert len(matrices["params"]) + len(vectors["params"]) == len(list(network.parameters()))
