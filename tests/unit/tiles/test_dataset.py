from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch

from clairemap.raster.store import open_store
from clairemap.settings import AugmentationSettings, SplitsSettings
from clairemap.tiles.dataset import CropDataset, TileDataset, TileSource, stack_samples
from clairemap.tiles.sampling import CropSampler
from clairemap.tiles.split_assignment import assign_splits, labelled_tiles
from clairemap.tiles.training_statistics import fit_statistics


@pytest.fixture(scope="module")
def scenes(made_pairs: ModuleType, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("dataset")
    return [
        made_pairs.make_scene(folder, "a", seed=1),
        made_pairs.make_scene(folder, "small", seed=2, shape=(100, 70)),
    ]


def tiles_of(scenes: list[Any]):
    index = pd.concat([pd.read_parquet(scene.tiles) for scene in scenes])
    return labelled_tiles(assign_splits(index, {s.scene: "train" for s in scenes}, SplitsSettings(), 0), "train")


def source_of(scenes: list[Any], view: str = "fused"):
    return TileSource({scene.scene: open_store(scene.pair) for scene in scenes}, view)


EVERYTHING = AugmentationSettings(clouds=0.6, speckle=0.6, sar_jitter_px=2, optical_gain=0.1, sar_gain=0.1)
NOTHING = AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=0, holes=0)


def statistics_of(made_pairs: ModuleType, scenes: list[Any]):
    index = pd.concat([pd.read_parquet(scene.tiles) for scene in scenes])
    return fit_statistics({scene.scene: scene.pair for scene in scenes}, index, made_pairs.CLASSES)


def crops(
    made_pairs: ModuleType,
    scenes: list[Any],
    view: str = "fused",
    augmentation: AugmentationSettings = EVERYTHING,
    **training: float,
):
    settings = made_pairs.settings(**training).training
    sampler = CropSampler(tiles_of(scenes), settings, augmentation, 5)
    return CropDataset(source_of(scenes, view), sampler, settings, statistics_of(made_pairs, scenes))


def test_samples_have_the_networks_shapes_and_types(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes, steps=3, batch_size=4)
    assert len(data) == 12
    batch = stack_samples([data[number] for number in range(len(data))])
    assert [tuple(layer.shape[1:]) for layer in batch] == [(2, 128, 128), (1, 128, 128)] + 2 * [(1, 128, 128)] + [
        (128, 128),
        (2, 128, 128),
    ]
    assert [layer.dtype for layer in batch] == [torch.float32] * 4 + [torch.int64, torch.bool]
    assert set(batch.optical_weight.unique().tolist()) <= {0.0, 1.0}
    assert set(batch.target.unique().tolist()) <= {0, 1, 2, 255}


def test_samples_do_not_depend_on_order_or_number_of_readers(made_pairs: ModuleType, scenes: list[Any]):
    data, numbers = crops(made_pairs, scenes), range(24)
    alone = [data[number] for number in numbers]
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            backwards = list(pool.map(crops(made_pairs, scenes).__getitem__, reversed(numbers)))
        for one, other in zip(alone, reversed(backwards), strict=True):
            assert all(torch.equal(a.nan_to_num(-9), b.nan_to_num(-9)) for a, b in zip(one, other, strict=True))


def test_augmentation_changes_values_and_weights_but_neither_place_nor_turn(made_pairs: ModuleType, scenes: list[Any]):
    calm = crops(made_pairs, scenes, augmentation=NOTHING, sensor_dropout=0)
    wild = crops(made_pairs, scenes, augmentation=EVERYTHING, sensor_dropout=0)
    changed = 0
    for number in range(20):
        before, after = calm[number], wild[number]
        learnt = after.target != 255
        assert torch.equal(after.target[learnt], before.target[learnt])
        assert torch.all(after.optical_weight <= before.optical_weight)
        assert torch.isfinite(after.optical).all()
        assert torch.isfinite(after.sar[after.sar_weight > 0]).all()
        changed += int(not torch.equal(before.optical, after.optical))
    assert changed == 20  # at least by the gain


def test_sar_is_displaced_only_in_fused_training(made_pairs: ModuleType, scenes: list[Any]):
    jitter = AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=2, holes=0)
    moved = {}
    for view in ("fused", "sar"):
        still, shaken = (crops(made_pairs, scenes[:1], view, chosen, sensor_dropout=0) for chosen in (NOTHING, jitter))
        pairs = [(still[number], shaken[number]) for number in range(8)]
        assert all(torch.equal(one.optical, other.optical) for one, other in pairs)
        moved[view] = sum(not torch.equal(one.sar.nan_to_num(), other.sar.nan_to_num()) for one, other in pairs)
    assert moved["fused"] > 4
    assert moved["sar"] == 0


def test_without_augmentation_samples_contain_the_stores_values(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes[:1], augmentation=NOTHING, sensor_dropout=0)
    store = open_store(scenes[0].pair)
    stored = {float(value) for value in store.array("optical")[:].astype("float32").ravel()}
    assert all({float(value) for value in data[number].optical.unique()} <= stored for number in range(4))


def test_targets_have_a_sensor_that_sees_them(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes, steps=20, sensor_dropout=0.7)
    dropped = 0
    for number in range(len(data)):
        sample = data[number]
        seen = (sample.optical_weight + sample.sar_weight)[0] > 0
        assert torch.all(sample.target[~seen] == 255)
        assert (sample.target != 255).any()
        dropped += int(not sample.optical_weight.any()) + int(not sample.sar_weight.any())
    assert 0.4 * len(data) < dropped < 0.95 * len(data)


@pytest.mark.parametrize(("view", "blind"), [("optical", "sar_weight"), ("sar", "optical_weight")])
def test_a_network_of_one_sensor_is_never_shown_the_other(
    made_pairs: ModuleType, scenes: list[Any], view: str, blind: str
):
    data = crops(made_pairs, scenes, view, sensor_dropout=1.0)
    for number in range(4):
        assert not getattr(data[number], blind).any()
        assert (data[number].target != 255).any()


def test_small_scenes_are_padded(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes[1:])
    sample = data[0]
    assert sample.target.shape == (128, 128)
    assert torch.count_nonzero(sample.sar_weight + sample.optical_weight) <= 100 * 70
    assert (sample.target != 255).any()


def test_tiles_are_whole_and_not_rotated(scenes: list[Any]):
    tiles = tiles_of(scenes)
    data = TileDataset(source_of(scenes), tiles)
    assert len(data) == 5
    assert torch.equal(data[0].optical, torch.from_numpy(scenes[0].optical[:, :256, :256].astype("float32")))
    assert data[4].optical.shape == (2, 128, 128)
    assert torch.equal(data[4].target[:100, 32:70], torch.from_numpy(scenes[1].label[:, 32:]).long())
    assert torch.all(data[4].target[100:] == 255)
