from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.inference.grid import footprint
from clairemap.metrics import label_ground
from clairemap.metrics.label_ground import LEARNT, TEST, UNUSED, LabelledScene
from clairemap.metrics.label_ground import ground_to_score as ground_of
from clairemap.raster.store import Layer, complete_store, create_store, open_store

MAP = GeoBox((80, 100), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")
NONE = IGNORE_INDEX
TILE_PX = 16


def placed(
    folder: Path,
    name: str,
    labels: NDArray[np.uint8],
    geobox: GeoBox,
    roles: int | NDArray[np.uint8] = TEST,
    grid: GeoBox = MAP,
) -> LabelledScene:
    """Write a scene's labels and place it on a map; all tiles have one role, or those given."""
    part = folder / f"{name}.part"
    store = create_store(
        part,
        geobox,
        [Layer("label", "uint8", fill=NONE)],
        tile_px=TILE_PX,
        shard_tiles=8,
        attributes={"scene": name},
    )
    for window in store.shards():
        store.write("label", window, labels[window.slices])
    complete_store(part, folder / f"{name}.zarr")
    tiles = tuple(-(-side // TILE_PX) for side in labels.shape)
    return LabelledScene(
        open_store(folder / f"{name}.zarr"), grid, footprint(geobox, grid), np.broadcast_to(np.uint8(roles), tiles)
    )


def at(y0: int, x0: int, height: int, width: int) -> GeoBox:
    """A grid whose pixels are those of the map, from a row and column on."""
    return GeoBox((height, width), MAP.transform @ Affine.translation(x0, y0), MAP.crs)


def filled(value: int, shape: tuple[int, int] = (20, 20)) -> NDArray[np.uint8]:
    return np.full(shape, value, np.uint8)


def test_labels_on_the_grid_of_the_map_are_copied(tmp_path: Path):
    labels = np.random.default_rng(0).integers(0, 4, (40, 50), dtype=np.uint8)
    scene = placed(tmp_path, "a", labels, at(20, 30, 40, 50))
    truth = ground_of([scene], Window(10, 25, 60, 60)).truth
    np.testing.assert_array_equal(truth[10:50, 5:55], labels)
    assert (truth != NONE).sum() == labels.size


@pytest.mark.parametrize(
    ("geobox", "crs_changes"),
    [
        (GeoBox((33, 47), Affine(13, 2, 500_213, -1, -12, 3_999_871), "EPSG:32633"), False),
        (GeoBox((90, 120), Affine(7e-5, 0, 15.0005, 0, -6e-5, 36.1425), "EPSG:4326"), True),
    ],
)
def test_other_grids_give_the_label_at_the_centre_of_each_pixel(tmp_path: Path, geobox: GeoBox, crs_changes: bool):
    from pyproj import Transformer

    labels = np.random.default_rng(1).integers(0, 4, geobox.shape, dtype=np.uint8)
    scene = placed(tmp_path, "a", labels, geobox)
    y, x = np.mgrid[:80, :100] + 0.5
    east, north = MAP.transform.a * x + MAP.transform.c, MAP.transform.e * y + MAP.transform.f
    if crs_changes:
        east, north = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(east, north)
    column, row = ~geobox.transform @ (east, north)
    inside = (row >= 0) & (row < geobox.shape[0]) & (column >= 0) & (column < geobox.shape[1])
    expected = np.where(inside, labels[row.astype(int) * inside, column.astype(int) * inside], NONE)
    sure = np.minimum(np.abs(row - np.round(row)), np.abs(column - np.round(column))) > 0.02
    found = ground_of([scene], Window.whole((80, 100))).truth
    np.testing.assert_array_equal(found[sure], expected[sure])
    assert (found != NONE).sum() > 500


def test_ground_of_two_scenes_counts_once_and_is_left_out_where_they_disagree(tmp_path: Path):
    scenes = [
        placed(tmp_path, "a", filled(1), at(0, 0, 20, 20)),
        placed(tmp_path, "b", np.where(np.arange(20) < 5, 1, 2).astype(np.uint8) * np.ones((20, 1), np.uint8),
               at(0, 10, 20, 20)),
    ]  # fmt: skip
    for order in (scenes, scenes[::-1]):
        found = ground_of(order, Window.whole((80, 100)))
        assert (found.shared_px, found.disagreeing_px, found.training_px) == (200, 100, 0)
        assert (found.truth[:20, :15] == 1).all() and (found.truth[:20, 15:20] == NONE).all()
        assert (found.truth[:20, 20:30] == 2).all()
        assert (found.truth != NONE).sum() == 20 * 25


def test_a_third_scene_does_not_bring_disagreeing_ground_back(tmp_path: Path):
    scenes = [placed(tmp_path, f"s{value}{n}", filled(value), at(0, 0, 20, 20)) for n, value in enumerate((1, 2, 2))]
    found = ground_of(scenes, Window.whole((80, 100)))
    assert (found.shared_px, found.disagreeing_px) == (400, 400)
    assert (found.truth == NONE).all()


def test_training_ground_is_left_out_exactly_where_it_has_labels(tmp_path: Path):
    learnt = filled(3)
    learnt[5:10] = NONE  # not labelled: the network has not learnt from it
    roles = np.array([[LEARNT, UNUSED], [LEARNT, TEST]], np.uint8)  # tiles of 16 px: the last ones are smaller
    scenes = [
        placed(tmp_path, "test", filled(1), at(0, 0, 20, 20)),
        placed(tmp_path, "training", learnt, at(0, 0, 20, 20), np.where(roles == TEST, UNUSED, roles)),
    ]
    found = ground_of(scenes, Window.whole((80, 100)))
    expected = np.full((20, 20), 1)
    expected[:5, :16] = expected[10:, :16] = NONE
    np.testing.assert_array_equal(found.truth[:20, :20], expected)
    assert found.training_px == 15 * 16 and found.shared_px == 0


def test_only_tiles_of_split_test_have_labels_to_score_with(tmp_path: Path):
    roles = np.array([[LEARNT, TEST], [UNUSED, UNUSED]], np.uint8)
    found = ground_of([placed(tmp_path, "a", filled(1), at(0, 0, 20, 20), roles)], Window.whole((80, 100)))
    assert (found.truth[:16, 16:20] == 1).all() and (found.truth != NONE).sum() == 16 * 4


def test_windows_and_large_reads_have_no_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    labels = np.random.default_rng(2).integers(0, 4, (200, 260), dtype=np.uint8)
    fine = GeoBox((200, 260), Affine(3, 0, 500_101, 0, -3, 3_999_913), "EPSG:32633")
    scene = placed(tmp_path, "a", labels, fine)
    whole = ground_of([scene], Window.whole((80, 100))).truth
    monkeypatch.setattr(label_ground, "LARGEST_READ_PX", 50)
    np.testing.assert_array_equal(ground_of([scene], Window.whole((80, 100))).truth, whole)
    np.testing.assert_array_equal(ground_of([scene], Window(11, 7, 23, 31)).truth, whole[11:34, 7:38])
