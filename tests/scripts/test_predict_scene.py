from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.errors import BundleError, MissingFileError, StoreError
from clairemap.nets.bundle import build_network, save_bundle
from clairemap.raster.store import check_store
from clairemap.settings import View
from clairemap.stages import PredictScene, stage_json

SHAPE = (300, 270)


@dataclass(frozen=True)
class StageFiles:
    """A small pair, an untrained model's card, and ``run(view, facts)``, which maps the pair with such a model."""

    pair: Path
    facts: ModelCard
    run: Callable[..., Path]


@pytest.fixture
def stage_files(tmp_path: Path, made_pairs: ModuleType, stage: Callable[[str], Callable[..., Any]]):
    settings = made_pairs.settings()
    pair = made_pairs.make_scene(tmp_path / "scenes", "a", shape=SHAPE, labelled=False).pair
    facts = ModelCard(
        stamp={},
        network=settings.network,
        classes=settings.legend.classes,
        optical_bands=BandScale(names=settings.sensors.optical.bands, mean=(250, 1700), std=(80, 900)),
        sar_bands=BandScale(names=settings.sensors.sar.bands, mean=(-15,), std=(5,)),
        sar_scale="db",
        halo_px=128,
        halo_sigma=0,
        core_bytes_per_px=69,
        halo_bytes_per_px=36,
        trained_on=TrainedOn(scenes=(), pixels=0),
        best_step=0,
    )

    def run(view: View = "fused", facts: ModelCard | None = facts):
        if facts is not None:
            torch.manual_seed(0)
            save_bundle(build_network(facts), facts, tmp_path / "model.safetensors", tmp_path / "model.json")
        stage("predict_scene")(
            pair=pair,
            pair_manifest=pair.with_suffix(".json"),
            weights=tmp_path / "model.safetensors",
            card=tmp_path / "model.json",
            view=view,
            probabilities=tmp_path / view / "probabilities.zarr",
            manifest=tmp_path / view / "probabilities.json",
            fingerprint="code",
            settings=stage_json(settings, PredictScene),
            device="cpu",
        )
        return tmp_path / view / "probabilities.zarr"

    return StageFiles(pair, facts, run)


def test_scene_is_mapped(stage_files: StageFiles):
    path = stage_files.run()
    store = check_store(path)
    probability, share = store.array("probability")[:], store.array("optical_share")[:]
    assert probability.shape == (3, *SHAPE) and store.tile_px == 256
    valid = share != 255
    assert np.array_equal(valid, ~((np.indices(SHAPE)[0] < 32) & (np.indices(SHAPE)[1] < 16)))
    assert (np.abs(probability.astype(int).sum(0)[valid] - 255) <= 2).all()
    assert not probability[:, ~valid].any()
    assert store.attributes["view"] == "fused" and store.attributes["clairemap_stage"] == "predict_scene"
    assert sorted(p.name for p in path.parent.iterdir()) == ["probabilities.json", "probabilities.zarr"]


def test_view_of_one_sensor(stage_files: StageFiles):
    path = stage_files.run("sar")
    share = check_store(path).array("optical_share")[:]
    assert set(share[:, 16:].ravel().tolist()) == {0} and (share[:, :16] == 255).all()


def test_running_again_replaces_the_store(stage_files: StageFiles):
    path = stage_files.run()
    before = path.with_suffix(".json").read_text()
    stage_files.run()
    assert path.with_suffix(".json").read_text() == before


def test_truncated_pair_is_an_error_and_leaves_no_files(stage_files: StageFiles, tmp_path: Path):
    victim = next(p for p in (stage_files.pair / "sar").rglob("*") if p.is_file() and p.name != "zarr.json")
    victim.write_bytes(victim.read_bytes()[:-10])
    with pytest.raises(StoreError, match="sar"):
        stage_files.run()
    assert not (tmp_path / "fused").exists() or not list((tmp_path / "fused").iterdir())


def test_model_of_other_bands_is_an_error_and_leaves_no_files(stage_files: StageFiles, tmp_path: Path):
    other = BandScale(names=("blue", "nir"), mean=(0, 0), std=(1, 1))
    with pytest.raises(BundleError, match="optical bands"):
        stage_files.run(facts=stage_files.facts.model_copy(update={"optical_bands": other}))
    assert not (tmp_path / "fused").exists() or not list((tmp_path / "fused").iterdir())


def test_missing_model_is_an_error(stage_files: StageFiles):
    with pytest.raises(MissingFileError, match=r"model\.safetensors"):
        stage_files.run(facts=None)
