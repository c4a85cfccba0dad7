from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch

from clairemap.raster.store import open_store
from clairemap.settings import SplitsSettings
from clairemap.tiles.dataset import CropDataset, TileDataset, TileSource, stacked
from clairemap.tiles.sampling import CropSampler
from clairemap.tiles.splits import assign_splits, labelled_tiles


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


def crops(made_pairs: ModuleType, scenes: list[Any], view: str = "fused", **training: float):
    settings = made_pairs.settings(**training).training
    return CropDataset(source_of(scenes, view), CropSampler(tiles_of(scenes), settings, 5), settings)


def test_samples_have_the_networks_shapes_and_types(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes, steps=3, batch_size=4)
    assert len(data) == 12
    batch = stacked([data[number] for number in range(len(data))])
    assert [tuple(layer.shape[1:]) for layer in batch] == [(2, 128, 128), (1, 128, 128)] + 2 * [(1, 128, 128)] + [
        (128, 128)
    ]
    assert [layer.dtype for layer in batch] == [torch.float32] * 4 + [torch.int64]
    assert set(batch.optical_weight.unique().tolist()) <= {0.0, 1.0}
    assert set(batch.target.unique().tolist()) <= {0, 1, 2, 255}


def test_a_sample_is_the_same_each_time_and_for_each_reader(made_pairs: ModuleType, scenes: list[Any]):
    first, second = crops(made_pairs, scenes), crops(made_pairs, scenes)
    second[1]
    for one, other in zip(first[3], second[3], strict=True):
        assert torch.equal(one.nan_to_num(), other.nan_to_num())


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


def test_small_scenes_are_filled_up(made_pairs: ModuleType, scenes: list[Any]):
    data = crops(made_pairs, scenes[1:])
    sample = data[0]
    assert sample.target.shape == (128, 128)
    assert torch.count_nonzero(sample.sar_weight + sample.optical_weight) <= 100 * 70
    assert (sample.target != 255).any()


def test_tiles_come_whole_and_unturned(scenes: list[Any]):
    tiles = tiles_of(scenes)
    data = TileDataset(source_of(scenes), tiles)
    assert len(data) == 5
    assert torch.equal(data[0].optical, torch.from_numpy(scenes[0].optical[:, :256, :256].astype("float32")))
    assert data[4].optical.shape == (2, 128, 128)
    assert torch.equal(data[4].target[:100, 32:70], torch.from_numpy(scenes[1].label[:, 32:]).long())
    assert torch.all(data[4].target[100:] == 255)
