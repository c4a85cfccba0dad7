import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from clairemap.classes import SHARE_NODATA
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.inference import mosaic as mosaic_module
from clairemap.inference.feather import Feather
from clairemap.inference.grid import region_grid
from clairemap.inference.mosaic import MapBlock, mosaic
from clairemap.inference.placement import PlacedScene, place
from clairemap.raster.store import GridStore
from clairemap.settings import MosaicSettings

Make = Callable[..., GridStore]
GridAt = Callable[..., GeoBox]
MakeMap = Callable[..., Any]

CODES = np.array([10, 40, 7], np.uint8)


@pytest.fixture
def make_map(monkeypatch: pytest.MonkeyPatch):
    """Return ``make_map(stores, settings, block_px)``: the grid and the four maps assembled from blocks."""

    def run(stores: list[GridStore], settings: MosaicSettings = MosaicSettings(), block_px: int = 128):  # noqa: B008
        monkeypatch.setattr(mosaic_module, "BLOCK_PX", block_px)
        grid = region_grid({str(i): store.geobox for i, store in enumerate(stores)}, settings)
        maps = np.full((4, *grid.shape), 255, np.uint8)
        for block in mosaic(place(stores, grid), grid, CODES):
            maps[:, *block.window.slices] = block.landcover, block.confidence, block.optical_share, block.source_count
        return grid, *maps

    return run


def random_scene(shape: tuple[int, int], seed: int):
    rng = np.random.default_rng(seed)
    raw = rng.dirichlet([0.7] * 3, shape).transpose(2, 0, 1)
    share = rng.integers(0, 101, shape, np.uint8)
    share[rng.random(shape) < 0.1] = SHARE_NODATA
    probability = np.round(255 * raw).astype(np.uint8) * (share != SHARE_NODATA)
    return probability.astype(np.uint8), share


def test_map_of_one_scene_is_its_argmax(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    probability, share = random_scene((150, 270), 0)
    store = make_probabilities(grid_at((150, 270)), probability, share)
    grid, landcover, confidence, optical_share, count = make_map([store])
    valid = share != SHARE_NODATA
    assert grid == store.geobox
    assert np.array_equal(landcover, np.where(valid, CODES[probability.argmax(0)], 255))
    assert np.array_equal(confidence, np.where(valid, np.round(probability.max(0) / 2.55), 255))
    assert np.array_equal(optical_share, share)
    assert np.array_equal(count, np.where(valid, 1, 255))


def test_map_outside_the_overlap_is_the_argmax_of_each_scene(
    make_probabilities: Make, grid_at: GridAt, make_map: MakeMap
):
    scenes = [random_scene((200, 220), seed) for seed in (1, 2)]
    stores = [
        make_probabilities(grid_at((200, 220)), *scenes[0]),
        make_probabilities(grid_at((200, 220), 501_500), *scenes[1]),
    ]
    _, landcover, *_ = make_map(stores)
    own = [np.where(share != 255, CODES[probability.argmax(0)], 255) for probability, share in scenes]
    assert landcover.shape == (200, 370)
    assert np.array_equal(landcover[:, :150], own[0][:, :150])
    assert np.array_equal(landcover[:, 220:], own[1][:, 70:])
    only = (scenes[0][1][:, 150:] != 255) & (scenes[1][1][:, :70] == 255)
    assert np.array_equal(landcover[:, 150:220][only], own[0][:, 150:][only])


def test_overlap_changes_gradually_between_scenes(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    shape = (300, 600)
    left = np.zeros((3, *shape), np.uint8)
    right = left.copy()
    left[0], left[1] = 255, 0
    right[1] = 255
    stores = [
        make_probabilities(grid_at(shape), left, np.full(shape, 100, np.uint8)),
        make_probabilities(grid_at(shape, 504_000), right, np.zeros(shape, np.uint8)),
    ]
    _, landcover, confidence, share, count = make_map(stores)
    row = share[150, 400:600].astype(int)
    assert (np.diff(row) <= 0).all() and row[0] >= 98 and row[-1] <= 2 and np.diff(row).min() > -3
    assert (landcover[150, :492] == 10).all() and (landcover[150, 508:] == 40).all()
    assert 50 <= confidence[150, 400:600].min() <= 51
    assert (confidence[150, 605:] == 100).all() and (confidence[150, :395] == 100).all()


def test_equal_scenes_blend_to_themselves(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    probability, share = random_scene((140, 150), 5)
    stores = [make_probabilities(grid_at((140, 150)), probability, share) for _ in range(3)]
    _, landcover, confidence, optical_share, count = make_map(stores)
    valid = share != SHARE_NODATA
    assert np.array_equal(landcover, np.where(valid, CODES[probability.argmax(0)], 255))
    assert np.array_equal(confidence, np.where(valid, np.round(probability.max(0) / 2.55), 255))
    assert np.array_equal(optical_share, share)
    assert np.array_equal(count, np.where(valid, 3, 255))


@pytest.mark.parametrize("settings", [MosaicSettings(), MosaicSettings(crs="EPSG:32634")])
def test_result_does_not_depend_on_blocks(
    make_probabilities: Make, grid_at: GridAt, make_map: MakeMap, settings: MosaicSettings
):
    stores = [
        make_probabilities(grid_at((200, 220)), *random_scene((200, 220), 1)),
        make_probabilities(grid_at((200, 220), 501_000, 5_000_500), *random_scene((200, 220), 2)),
    ]
    _, *small = make_map(stores, settings, 128)
    _, *large = make_map(stores, settings, 1024)
    for one, other in zip(small, large, strict=True):
        assert np.mean(one == other) > 0.999


def test_order_of_the_scenes_does_not_matter(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    stores = [
        make_probabilities(grid_at((150, 150)), *random_scene((150, 150), 1)),
        make_probabilities(grid_at((150, 150), 500_700), *random_scene((150, 150), 2)),
    ]
    _, *forward = make_map(stores)
    _, *backward = make_map(stores[::-1])
    for one, other in zip(forward, backward, strict=True):
        assert np.mean(one == other) > 0.999


@pytest.mark.parametrize("threads", [1, 3])
def test_blocks_are_computed_by_the_given_number_of_threads(
    make_probabilities: Make, grid_at: GridAt, monkeypatch: pytest.MonkeyPatch, threads: int
):
    store = make_probabilities(grid_at((20, 300)), *random_scene((20, 300), 1))
    monkeypatch.setattr(mosaic_module, "BLOCK_PX", 20)
    together = threading.Barrier(threads)
    seen = set()

    def meet(*_: object):
        together.wait(timeout=30)  # breaks if fewer threads come
        seen.add(threading.get_ident())

    monkeypatch.setattr(mosaic_module, "map_block", meet)
    assert not list(mosaic(place([store], store.geobox), store.geobox, CODES, threads))
    assert len(seen) == threads


def test_scene_without_crs(make_probabilities: Make, make_map: MakeMap):
    probability, share = random_scene((33, 47), 3)
    store = make_probabilities(GeoBox((33, 47), Affine.identity(), None), probability, share)
    grid, landcover, *_ = make_map([store])
    assert grid.crs is None
    assert np.array_equal(landcover, np.where(share != 255, CODES[probability.argmax(0)], 255))


def test_scenes_far_apart_and_empty_ones_leave_nodata(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    nothing = np.zeros((3, 50, 50), np.uint8), np.full((50, 50), SHARE_NODATA, np.uint8)
    stores = [
        make_probabilities(grid_at((50, 50)), *random_scene((50, 50), 1)),
        make_probabilities(grid_at((50, 50), 510_000, 4_990_000), *nothing),
    ]
    _, landcover, confidence, share, count = make_map(stores)
    assert landcover.shape == (1050, 1050)
    assert (landcover[:50, :50] != 255).any()
    for layer in (landcover, confidence, share, count):
        assert (layer[50:] == 255).all() and (layer[:, 50:] == 255).all()


def test_damaged_store_is_an_error(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    store = make_probabilities(grid_at((150, 150)), *random_scene((150, 150), 1))
    for file in (store.path / "probability").rglob("c/**/*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(StoreError, match="damaged"):
        make_map([store])


def test_scenes_are_counted_where_they_are_valid(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    scenes = [random_scene((200, 220), seed) for seed in (1, 2, 3)]
    places = (500_000, 501_000, 501_500)
    stores = [make_probabilities(grid_at((200, 220), x), *scene) for x, scene in zip(places, scenes, strict=True)]
    _, *_, count = make_map(stores)
    expected = np.zeros((200, 370), int)
    for x, (_, share) in zip((0, 100, 150), scenes, strict=True):
        expected[:, x : x + 220] += share != SHARE_NODATA
    assert np.array_equal(count, np.where(expected > 0, expected, 255))


def test_blend_is_the_weighted_mean_of_the_probabilities(make_probabilities: Make, grid_at: GridAt, make_map: MakeMap):
    scenes = [random_scene((300, 320), seed) for seed in (1, 2)]
    stores = [
        make_probabilities(grid_at((300, 320)), *scenes[0]),
        make_probabilities(grid_at((300, 320), 502_000, 5_000_700), *scenes[1]),
    ]
    grid, landcover, confidence, share, _ = make_map(stores)
    total, mean, part = np.zeros(grid.shape), np.zeros((3, *grid.shape)), np.zeros(grid.shape)
    for store, (probability, own_share), (y, x) in zip(stores, scenes, ((70, 0), (0, 200)), strict=True):
        place = np.s_[y : y + 300, x : x + 320]
        rows, columns = np.indices((300, 320)) + 0.5
        weight = Feather.of(store).weights(rows, columns) * (own_share != SHARE_NODATA)
        total[place] += weight
        mean[:, *place] += weight * probability
        part[place] += weight * own_share
    valid = total > 0
    mean, part = mean / np.where(valid, total, 1), part / np.where(valid, total, 1)
    second, best = np.sort(mean, axis=0)[-2:]
    clear = valid & (best - second > 0.01)
    assert np.array_equal(landcover[clear], CODES[mean.argmax(0)][clear]) and clear.sum() > 0.9 * valid.sum()
    assert np.abs(confidence - best / 2.55)[valid].max() < 0.51 and np.abs(share - part)[valid].max() < 0.51
    assert (landcover[~valid] == 255).all()


def test_scene_of_another_crs_is_blended_with_its_neighbour(
    make_probabilities: Make, grid_at: GridAt, make_map: MakeMap
):
    first = np.zeros((3, 300, 300), np.uint8)
    second = first.copy()
    first[0], second[2] = 255, 255
    to_next_zone = Transformer.from_crs("EPSG:32633", "EPSG:32634", always_xy=True)
    x, y = to_next_zone.transform(502_000, 5_000_000)
    stores = [
        make_probabilities(grid_at((300, 300)), first, np.full((300, 300), 90, np.uint8)),
        make_probabilities(grid_at((300, 300), x, y, "EPSG:32634"), second, np.full((300, 300), 10, np.uint8)),
    ]
    grid, landcover, _, share, count = make_map(stores, MosaicSettings(crs="EPSG:32633"))
    both = count == 2
    assert both.sum() > 10_000 and set(np.unique(landcover)) == {10, 7, 255}
    assert (landcover == 10).sum() > 50_000 and (landcover == 7).sum() > 50_000
    assert share[both].min() < 15 and share[both].max() > 85 and np.isin(share[count == 1], (10, 90)).all()


def test_memory_of_finished_blocks_does_not_grow_with_the_width(
    make_probabilities: Make, grid_at: GridAt, monkeypatch: pytest.MonkeyPatch
):
    store = make_probabilities(grid_at((20, 2000)), *random_scene((20, 2000), 1))
    monkeypatch.setattr(mosaic_module, "BLOCK_PX", 20)
    made = []
    monkeypatch.setattr(
        mosaic_module, "map_block", lambda _scenes, window, *_: made.append(window) or MapBlock.empty(window)
    )
    ahead = [
        len(made) - number for number, _ in enumerate(mosaic(place([store], store.geobox), store.geobox, CODES, 2))
    ]
    assert len(made) == 100 and max(ahead) == 2 * mosaic_module.BLOCKS_FOR_EACH_THREAD


def test_blocks_without_scenes_are_skipped(make_probabilities: Make, grid_at: GridAt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mosaic_module, "BLOCK_PX", 128)
    stores = [
        make_probabilities(grid_at((200, 220), x, y), *random_scene((200, 220), seed))
        for seed, (x, y) in enumerate([(500_000, 5_000_000), (9_000_000, 4_000_000)])
    ]
    grid = region_grid({str(i): store.geobox for i, store in enumerate(stores)}, MosaicSettings())
    made, looked = mosaic_module.map_block, []

    def counting(scenes: list[PlacedScene], window: Window, codes: NDArray[np.uint8], keeps: bool):
        looked.append(window)
        return made(scenes, window, codes, keeps)

    monkeypatch.setattr(mosaic_module, "map_block", counting)
    blocks = list(mosaic(place(stores, grid), grid, CODES))
    assert grid.shape[0] * grid.shape[1] > 8e10 and len(looked) <= 18
    assert [block.window for block in blocks] == sorted(looked, key=lambda window: (window.y0, window.x0))
    for store, corner in zip(stores, ((0, 0), (grid.shape[0] - 200, grid.shape[1] - 220)), strict=True):
        whole = np.full((200, 220), 255, np.uint8)
        share = store.read("optical_share", Window.whole(store.shape))
        for block in blocks:
            inside = block.window.intersection(Window(*corner, 200, 220))
            if not inside.is_empty:
                there = inside.relative_to(Window(*corner, 200, 220)).slices
                whole[there] = block.optical_share[inside.relative_to(block.window).slices]
        assert np.array_equal(whole, share)
