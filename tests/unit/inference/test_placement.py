from collections.abc import Callable

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from clairemap.classes import SHARE_NODATA
from clairemap.grid.window import Window
from clairemap.inference import placement
from clairemap.inference.grid import footprint, region_grid
from clairemap.inference.placement import PlacedScene, place
from clairemap.raster.store import GridStore
from clairemap.settings import MosaicSettings

Make = Callable[..., GridStore]
GridAt = Callable[..., GeoBox]


def ramp(shape: tuple[int, int]):
    """Three classes that vary linearly over the scene."""
    y, x = np.indices(shape) + 0.5
    return np.stack([y / shape[0], x / shape[1], 1 - y / shape[0]]) * 200


def whole(scene: PlacedScene, grid: GeoBox):
    return within(scene, Window.whole(tuple(grid.shape)))


def within(scene: PlacedScene, window: Window):
    block = scene.block(window)
    return block.predictions(block.window)


def test_aligned_scene_is_copied(make_probabilities: Make, grid_at: GridAt):
    rng = np.random.default_rng(1)
    probability = rng.integers(0, 256, (3, 40, 50), np.uint8)
    share = rng.integers(0, 101, (40, 50), np.uint8)
    share[:5] = SHARE_NODATA
    own = grid_at((40, 50))
    other = grid_at((40, 50), 500_200, 5_000_100)
    grid = region_grid({"a": own, "b": other}, MosaicSettings())
    scene, _ = place([make_probabilities(own, probability, share)] * 2, grid)
    block = scene.block(Window(15, 3, 20, 30))
    assert block.window == Window(15, 3, 20, 30)
    found = block.predictions(block.window)
    assert np.array_equal(found.probability, probability[:, 5:25, 3:33])
    assert np.array_equal(found.optical_share, share[5:25, 3:33])
    assert found.probability.dtype == np.uint8 and found.mapped.all()
    part = block.predictions(Window(17, 4, 5, 6))
    assert np.array_equal(part.probability, probability[:, 7:12, 4:10]) and part.mapped.shape == (5, 6)


@pytest.mark.parametrize(
    ("crs", "resolution"), [("EPSG:32634", None), ("EPSG:4326", None), ("EPSG:32633", 7.0), ("EPSG:32633", 33.0)]
)
def test_resampled_values_are_those_at_the_position(
    make_probabilities: Make, grid_at: GridAt, crs: str, resolution: float | None
):
    own = grid_at((200, 260))
    store = make_probabilities(own, np.round(ramp(own.shape)).astype(np.uint8), np.full(own.shape, 60, np.uint8))
    grid = region_grid({"a": own}, MosaicSettings(crs=crs, resolution=resolution))
    (scene,) = place([store], grid)
    block = whole(scene, grid)
    rows, columns = np.indices(grid.shape) + 0.5
    world_x, world_y = (
        grid.transform.a * columns + grid.transform.c,
        grid.transform.e * rows + grid.transform.f,
    )
    transformer = Transformer.from_crs(str(grid.crs), str(own.crs), always_xy=True)
    east, north = transformer.transform(world_x, world_y)
    down, right = (5_000_000 - north) / 10 / 200, (east - 500_000) / 10 / 260
    exact = np.stack([down, right, 1 - down]) * 200
    inside = block.mapped.copy()
    inside[:3], inside[-3:], inside[:, :3], inside[:, -3:] = False, False, False, False
    assert inside.sum() > 0.5 * inside.size
    assert np.abs(block.probability - exact)[:, inside].max() < 1.0  # counts; they were rounded to whole ones
    assert np.abs(block.optical_share[block.mapped] - 60).max() < 1e-3


def test_result_does_not_depend_on_blocks(make_probabilities: Make, grid_at: GridAt):
    own = grid_at((180, 150))
    probability = np.random.default_rng(0).integers(0, 256, (3, *own.shape), np.uint8)
    share = np.full(own.shape, 30, np.uint8)
    share[60:90, 40:100] = SHARE_NODATA
    store = make_probabilities(own, probability * (share != SHARE_NODATA), share)
    for settings in (MosaicSettings(crs="EPSG:32634"), MosaicSettings(resolution=24)):
        grid = region_grid({"a": own}, settings)
        (scene,) = place([store], grid)
        all_at_once = whole(scene, grid)
        part = within(scene, Window(17, 11, 30, 41))
        assert np.abs(all_at_once.probability[:, 17:47, 11:52] - part.probability).max() < 0.05
        assert np.mean(all_at_once.mapped[17:47, 11:52] == part.mapped) > 0.999


@pytest.mark.parametrize("window_px", [1, 40, 100])
def test_finer_scenes_are_read_by_small_windows(
    make_probabilities: Make, grid_at: GridAt, monkeypatch: pytest.MonkeyPatch, window_px: int
):
    rng = np.random.default_rng(4)
    own = grid_at((347, 411))
    share = rng.integers(0, 101, own.shape, np.uint8)
    share[rng.random(own.shape) < 0.2] = SHARE_NODATA
    probability = rng.integers(0, 256, (3, *own.shape), np.uint8) * (share != SHARE_NODATA)
    grid = region_grid({"a": own}, MosaicSettings(resolution=100))
    (scene,) = place([make_probabilities(own, probability, share)], grid)
    at_once = whole(scene, grid)

    reads = []
    read = GridStore.read
    monkeypatch.setattr(GridStore, "read", lambda *words: reads.append(words[2]) or read(*words))
    monkeypatch.setattr(placement, "AVERAGING_WINDOW_PX", window_px)
    by_windows = whole(scene, grid)
    assert max(max(window.shape) for window in reads) == max(window_px, 10)
    assert np.array_equal(by_windows.mapped, at_once.mapped) and at_once.mapped.any()
    assert np.allclose(by_windows.probability, at_once.probability, rtol=0, atol=1e-3)
    assert np.allclose(by_windows.optical_share, at_once.optical_share, rtol=0, atol=1e-3)


def test_nodata_does_not_affect_its_neighbours(make_probabilities: Make, grid_at: GridAt):
    own = grid_at((64, 64))
    share = np.full(own.shape, 50, np.uint8)
    share[:, 32:] = SHARE_NODATA
    probability = np.where(share != SHARE_NODATA, 200, 0).astype(np.uint8)[None].repeat(2, 0)
    grid = region_grid({"a": own}, MosaicSettings(resolution=7.5))
    (scene,) = place([make_probabilities(own, probability, share)], grid)
    block = whole(scene, grid)
    assert 0.45 < block.mapped.mean() < 0.55
    assert np.allclose(block.probability[:, block.mapped], 200, atol=1e-3)
    assert np.allclose(block.optical_share[block.mapped], 50, atol=1e-3)


def test_no_block_outside_the_scene_or_if_all_is_nodata(make_probabilities: Make, grid_at: GridAt):
    own, other = grid_at((40, 40)), grid_at((40, 40), 501_000)
    grid = region_grid({"a": own, "b": other}, MosaicSettings())
    nothing = np.full((40, 40), SHARE_NODATA, np.uint8)
    zeros = np.zeros((2, 40, 40), np.uint8)
    a, b = place([make_probabilities(own, zeros, nothing), make_probabilities(other, zeros, nothing * 0)], grid)
    assert a.block(Window(0, 0, 40, 40)) is None
    assert b.block(Window(0, 0, 40, 40)) is None
    assert within(b, footprint(other, grid)).mapped.all()
    assert a.feather is None and b.feather is None  # they do not overlap


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2)])
def test_tiny_scenes_can_be_resampled(make_probabilities: Make, grid_at: GridAt, shape: tuple[int, int]):
    own = grid_at(shape)
    store = make_probabilities(own, np.full((2, *shape), 90, np.uint8), np.zeros(shape, np.uint8))
    grid = region_grid({"a": own}, MosaicSettings(crs="EPSG:32634"))
    (scene,) = place([store], grid)
    block = whole(scene, grid)
    assert block.mapped.any() and np.allclose(block.probability[:, block.mapped], 90, atol=1e-3)


@pytest.mark.parametrize("west", [-180.02, 179.98])
def test_scene_across_180_degrees_is_resampled_completely(make_probabilities: Make, west: float):
    own = GeoBox((256, 256), Affine(10, 0, 818_000, 0, -10, 8_173_000), "EPSG:32760")
    store = make_probabilities(own, ramp((256, 256)).astype(np.uint8), np.full((256, 256), 50, np.uint8))
    step = 1e-4
    grid = GeoBox((260, 420), Affine(step, 0, west, 0, -step, -16.501), "EPSG:4326")
    found = whole(place([store], grid)[0], grid)
    rows, columns = np.indices(found.mapped.shape) + 0.5
    origin = place([store], grid)[0].block(Window.whole((260, 420))).window
    x, y = Transformer.from_crs(4326, 32760, always_xy=True).transform(
        west + step * (columns + origin.x0), -16.501 - step * (rows + origin.y0)
    )
    column, row = (x - 818_000) / 10, (8_173_000 - y) / 10
    inside = (row > 1) & (row < 255) & (column > 1) & (column < 255)
    assert inside.sum() > 50_000 and found.mapped[inside].all()
    assert np.abs(found.probability[0] - row / 256 * 200)[inside].max() < 1.5
    assert np.abs(found.probability[1] - column / 256 * 200)[inside].max() < 1.5


def test_scene_in_degrees_is_resampled_around_the_pole(make_probabilities: Make):
    own = GeoBox((40, 360), Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    probability = ramp((40, 360)).astype(np.uint8)
    store = make_probabilities(own, probability, np.full((40, 360), 50, np.uint8))
    grid = GeoBox((100, 100), Affine(40_000, 0, -2e6, 0, -40_000, 2e6), "EPSG:3413")
    found = whole(place([store], grid)[0], grid)
    assert found.mapped.shape == (100, 100)
    y, x = 2e6 - (np.indices((100, 100))[0] + 0.5) * 40_000, (np.indices((100, 100))[1] + 0.5) * 40_000 - 2e6
    longitude, latitude = Transformer.from_crs(3413, 4326, always_xy=True).transform(x, y)
    far = (latitude < 89) & (np.abs(longitude) < 179)
    assert found.mapped[latitude < 89.4].all()
    assert np.abs(found.probability[0] - (90 - latitude) / 40 * 200)[far].max() < 3
    assert np.abs(found.probability[1] - (longitude + 180) / 360 * 200)[far].max() < 3
