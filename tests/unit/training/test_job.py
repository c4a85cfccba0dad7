import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clairemap.errors import MissingFileError, SettingsError, StoreError
from clairemap.raster.store import open_store
from clairemap.settings import NetworkSettings
from clairemap.tiles.crops import read_masks
from clairemap.training import job as job_module
from clairemap.training import model
from clairemap.training.job import TrainingJob

MadeJob = Callable[..., TrainingJob]


def test_the_fingerprint_changes_with_all_that_the_weights_depend_on(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path)
    settings = job.settings
    others = [
        made_job(tmp_path, learning_rate=1e-4),
        made_job(tmp_path, second="test"),
        replace(job, code="other"),
        replace(job, settings=settings.model_copy(update={"seed": 1})),
        replace(job, statistics=replace(job.statistics, class_px=(1, 2, 3))),
        replace(job, splits=job.splits.assign(labelled_px=7)),
    ]
    assert len({job.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_the_fingerprint_is_the_same_for_the_same_run(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path / "one")
    assert made_job(tmp_path / "other", minutes=3).fingerprint == job.fingerprint


def test_the_fingerprint_follows_the_pairs_that_are_used(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path, second="test")  # so that only scene a is used
    pairs = {}
    for scene, content in (("a", "one"), ("b", "one")):
        pairs[scene] = tmp_path / scene / "pair.zarr"
        pairs[scene].parent.mkdir()
        pairs[scene].with_suffix(".json").write_text(content)
    job = replace(job, stores=pairs)
    before = job.fingerprint
    pairs["b"].with_suffix(".json").write_text("other")
    assert replace(job).fingerprint == before
    pairs["a"].with_suffix(".json").write_text("other")
    assert replace(job).fingerprint != before
    pairs["a"].with_suffix(".json").unlink()
    with pytest.raises(MissingFileError, match=r"pair\.json: no such file, the manifest of .*pair\.zarr"):
        replace(job).fingerprint  # noqa: B018 - a property that raises


def test_only_the_scenes_needed_are_opened(made_job: MadeJob, tmp_path: Path):
    assert set(made_job(tmp_path).source().stores) == {"a", "b"}
    assert set(made_job(tmp_path, second="test").source().stores) == {"a"}


def test_scenes_normalised_by_themselves_have_the_moments_of_the_training(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path, normalisation="scene")
    pairs = {}
    for scene, pair in job.stores.items():
        pairs[scene] = tmp_path / scene / pair.name
        shutil.copytree(pair, pairs[scene])
        shutil.copy(pair.with_suffix(".json"), pairs[scene].with_suffix(".json"))
        moments = {"optical": {"mean": [500, 1000], "std": [10, 20]}, "sar": {"mean": [-30], "std": [2]}}
        open_store(pairs[scene], "r+").group.attrs.update({"moments": moments})
    source, plain = replace(job, stores=pairs).source(), made_job(tmp_path).source()
    tile = job.training_tiles[0]
    masks = read_masks(plain.stores[tile.scene], tile.window)
    crop, before = (each.read(tile.scene, masks, tile.window) for each in (source, plain))
    known = job.statistics.optical
    for band, (mean, std) in enumerate(((500, 10), (1000, 20))):
        expected = (before.optical[band] - mean) / std * known.std[band] + known.mean[band]
        assert np.allclose(crop.optical[band], expected, rtol=1e-4, atol=0.1, equal_nan=True)
    with pytest.raises(StoreError, match="no band moments"):
        job.source()


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        ({}, (0.5, 0.25)),
        ({"fusion": "gate"}, (0.5, 0.25)),
        ({"fusion": "sum"}, (0.5, 0)),
        ({"fusion": "early"}, (0, 0)),
        ({"sensors": "sar"}, (0, 0)),
    ],
)
def test_losses_of_parts_that_the_network_does_not_have_are_off(
    made_job: MadeJob, tmp_path: Path, network: dict[str, str], weights: tuple[float, float]
):
    job = made_job(tmp_path, alone_weight=0.5, gate_weight=0.25)
    settings = job.settings.model_copy(update={"network": NetworkSettings.model_validate(network)})
    assert replace(job, settings=settings).loss_weights == weights


def test_a_missing_pair_is_rejected(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path)
    with pytest.raises(MissingFileError, match="'b'"):
        replace(job, stores={"a": job.stores["a"]}).source()


def test_a_batch_that_cannot_be_divided_is_rejected(made_job: MadeJob, tmp_path: Path):
    made_job(tmp_path, batch_size=6).check(3)
    with pytest.raises(SettingsError, match="batch_size 6 .* set it to a multiple of 4, .* times the nodes"):
        made_job(tmp_path, batch_size=6).check(4)


def test_micro_batches_that_do_not_divide_a_share_are_rejected(made_job: MadeJob, tmp_path: Path):
    made_job(tmp_path, batch_size=6, batch_parts=3).check(2)
    with pytest.raises(SettingsError, match="batch_parts 4 .* 6 crops .*batch_size 12.* 2 processes"):
        made_job(tmp_path, batch_size=12, batch_parts=4).check(2)


def test_the_fingerprint_follows_the_files_of_initial_weights(made_job: MadeJob, tmp_path: Path):
    file = tmp_path / "convnext.safetensors"
    file.write_text("one")
    job = made_job(tmp_path, initial_sar=str(file))
    assert job.initial_weights == {"sar": file}
    before = job.fingerprint
    moved = file.rename(tmp_path / "moved.safetensors")
    assert made_job(tmp_path, initial_sar=str(moved)).fingerprint == before
    assert made_job(tmp_path, initial_optical=str(moved)).fingerprint != before
    moved.write_text("other")
    assert made_job(tmp_path, initial_sar=str(moved)).fingerprint != before


def test_the_checkpoint_interval_does_not_change_the_fingerprint(made_job: MadeJob, tmp_path: Path):
    assert made_job(tmp_path, checkpoint_every=1).fingerprint == made_job(tmp_path, checkpoint_every=9).fingerprint


def test_the_split_table_and_the_manifests_are_read_once(
    made_job: MadeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = made_job(tmp_path)
    first = job.fingerprint, job.training_tiles, job.validation_tiles
    for name in ("file_digest", "labelled_tiles"):
        monkeypatch.delattr(job_module, name)
    assert (job.fingerprint, job.training_tiles, job.validation_tiles) == first


def test_initial_weights_are_read_for_their_encoder(made_job: MadeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given = []
    monkeypatch.setattr(model, "load_initial_weights", lambda _, optical, sar: given.append((optical, sar)))
    model.new_network(made_job(tmp_path, initial_sar="sar.pth"))
    assert given == [(None, Path("sar.pth"))]
    monkeypatch.undo()
    with pytest.raises(MissingFileError, match=r"absent\.pth"):
        model.new_network(made_job(tmp_path, initial_optical=str(tmp_path / "absent.pth")))


def test_statistics_of_other_classes_are_rejected(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path)
    fewer = replace(job.statistics, class_px=job.statistics.class_px[:-1])
    with pytest.raises(StoreError, match="run fit_statistics again"):
        replace(job, statistics=fewer).check(1)
