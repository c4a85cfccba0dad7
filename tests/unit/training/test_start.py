from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from clairemap.artefacts.model_card import read_model_card
from clairemap.classes import LandCoverClass
from clairemap.errors import BundleError
from clairemap.nets.bundle import save_bundle
from clairemap.nets.claire import Claire
from clairemap.training.calibration import NOT_FITTED
from clairemap.training.job import TrainingJob
from clairemap.training.model import model_card, new_network
from clairemap.training.start import HEAD

MadeJob = Callable[..., TrainingJob]


def renamed(job: TrainingJob, **names: str) -> TrainingJob:
    """Return the job with new names for some classes."""
    legend = job.settings.legend
    classes = tuple(LandCoverClass(code=c.code, name=names.get(c.name, c.name)) for c in legend.classes)
    changed = job.settings.model_copy(update={"legend": legend.model_copy(update={"classes": classes})})
    return TrainingJob(job.stores, job.statistics, job.splits, changed, job.checkpoints, job.code)


@pytest.fixture
def parent(made_job: MadeJob, tmp_path: Path) -> Path:
    """Folder of a model with random weights of another seed."""
    job = made_job(tmp_path)
    job = TrainingJob(
        job.stores, job.statistics, job.splits, job.settings.model_copy(update={"seed": 5}), job.checkpoints, job.code
    )
    network = new_network(job)
    card = model_card(job, network, 1, 0, NOT_FITTED, {})
    scaled = card.optical_bands.model_copy(update={"mean": tuple(value + 1 for value in card.optical_bands.mean)})
    facts = card.model_copy(update={"optical_bands": scaled})
    save_bundle(network, facts, tmp_path / "parent" / "model.safetensors", tmp_path / "parent" / "model.json")
    return tmp_path / "parent"


def head(network: Claire) -> list[torch.Tensor]:
    state = network.state_dict()
    return [state[name] for name in HEAD]


def test_classes_of_the_same_name_keep_their_outputs(made_job: MadeJob, parent: Path, tmp_path: Path):
    first, second, third = (c.name for c in made_job(tmp_path).settings.legend.classes)
    # The second class gets the name of the first; the first is new.
    job = renamed(made_job(tmp_path, start_from=str(parent)), **{first: "snow", second: first})
    random = new_network(renamed(made_job(tmp_path), **{first: "snow", second: first}))
    theirs = new_network(TrainingJob(
        job.stores, job.statistics, job.splits,
        made_job(tmp_path).settings.model_copy(update={"seed": 5}), tmp_path, "code",
    ))  # fmt: skip
    network = new_network(job)
    for found, own, known in zip(head(network), head(random), head(theirs), strict=True):
        assert torch.equal(found, torch.stack([own[0], known[0], known[2]]))
    body = {name: value for name, value in theirs.state_dict().items() if name not in HEAD}
    assert all(torch.equal(network.state_dict()[name], value) for name, value in body.items())
    card = model_card(job, network, 1, 0, NOT_FITTED, {})
    assert card.parent is not None
    assert (card.parent.kept_classes, card.parent.new_classes) == ((first, third), ("snow",))
    assert len(card.parent.weights_sha256) == 64


def test_a_class_of_the_model_without_new_pixels_is_not_unseen(made_job: MadeJob, parent: Path, tmp_path: Path):
    first, second, third = (c.name for c in made_job(tmp_path).settings.legend.classes)
    job = renamed(made_job(tmp_path, start_from=str(parent)), **{first: "snow"})
    own_px = (0, 7, 0)
    job = replace(job, statistics=replace(job.statistics, class_px=own_px))
    card = model_card(job, new_network(job), 1, 0, NOT_FITTED, {})
    _, of_second, of_third = read_model_card(parent / "model.json").trained_on.class_px
    assert card.trained_on.class_px == own_px and card.learnt_px == (0, 7 + of_second, of_third)
    assert of_third > 0 and card.trained_on.unseen_classes == ("snow",)


def test_statistics_of_the_model_or_of_the_scenes(made_job: MadeJob, parent: Path, tmp_path: Path):
    own = made_job(tmp_path)
    of_model = made_job(tmp_path, start_from=str(parent))
    of_scenes = made_job(tmp_path, start_from=str(parent), statistics_from="scenes")
    assert of_scenes.scales == own.scales
    assert of_model.scales.optical.mean == tuple(value + 1 for value in own.scales.optical.mean)
    assert len({own.fingerprint, of_model.fingerprint, of_scenes.fingerprint}) == 3


def test_a_card_without_a_parent_has_no_key_for_it(made_job: MadeJob, tmp_path: Path):
    job = made_job(tmp_path)
    card = model_card(job, new_network(job), 1, 0, NOT_FITTED, {})
    assert "parent" not in card.model_dump() and "statistics_from" not in card.settings["training"]


def test_another_network_is_refused(made_job: MadeJob, parent: Path, tmp_path: Path):
    card = parent / "model.json"
    card.write_text(card.read_text().replace('"fusion": "window"', '"fusion": "gate"'))
    with pytest.raises(BundleError, match=r"network\.fusion gate, but the settings have tiny and window"):
        new_network(made_job(tmp_path, start_from=str(parent)))


def test_another_normalisation_is_refused(made_job: MadeJob, parent: Path, tmp_path: Path):
    card = parent / "model.json"
    card.write_text(card.read_text().replace('"sar_scale"', '"normalisation": "scene", "sar_scale"'))
    with pytest.raises(BundleError, match=r"training\.normalisation scene, but the settings have training"):
        new_network(made_job(tmp_path, start_from=str(parent)))


def test_scenes_normalised_by_themselves_use_the_statistics_of_the_training(
    made_job: MadeJob, parent: Path, tmp_path: Path
):
    card = parent / "model.json"
    card.write_text(card.read_text().replace('"sar_scale"', '"normalisation": "scene", "sar_scale"'))
    job = made_job(tmp_path, start_from=str(parent), normalisation="scene")
    found = model_card(job, new_network(job), 1, 0, NOT_FITTED, {})
    assert found.parent.statistics_from == "scenes" and found.signatures is None
    assert job.scales.optical.mean == job.statistics.optical.mean


def test_other_bands_are_refused(made_job: MadeJob, parent: Path, tmp_path: Path):
    card = parent / "model.json"
    card.write_text(card.read_text().replace('"VV"', '"HH"'))
    with pytest.raises(BundleError, match=r"training\.start_from: does not match the model\. SAR bands: .*HH"):
        new_network(made_job(tmp_path, start_from=str(parent)))
