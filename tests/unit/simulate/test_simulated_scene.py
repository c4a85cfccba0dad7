from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import Resampling, reproject

from clairemap.grid.points import Shift, Size
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.simulate import scene as simulated
from clairemap.simulate.acquisition import Acquisition
from clairemap.simulate.region import DEMO_SCENES
from clairemap.simulate.scene import positions, simulate_scene

RECIPE = replace(DEMO_SCENES[0].recipe, size_px=192)
FILES = {"optical.tif", "sar.tif", "label.tif", "cloud.tif"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("made")
    simulate_scene(RECIPE, target, 21, {"clairemap_stage": "test"})
    return target


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read()


def test_four_files_and_nothing_else(folder: Path):
    assert {path.name for path in folder.iterdir()} == FILES


def test_files_have_the_documented_formats(folder: Path):
    with rasterio.open(folder / "optical.tif") as optical, rasterio.open(folder / "sar.tif") as sar:
        assert (optical.dtypes[0], optical.count, optical.nodata) == ("uint16", 4, 0)
        assert optical.descriptions == ("red", "green", "blue", "nir")
        assert (sar.dtypes[0], sar.count, np.isnan(sar.nodata)) == ("float32", 2, True)
        assert sar.crs != optical.crs
        assert Shift(float(sar.tags()["TRUE_DY_PX"]), float(sar.tags()["TRUE_DX_PX"])) == RECIPE.shift_px
        assert optical.tags()["clairemap_stage"] == "test"
    label, cloud = read(folder / "label.tif"), read(folder / "cloud.tif")
    assert set(np.unique(label)) <= set(range(8))
    assert set(np.unique(cloud)) <= {0, 1}  # a binary mask: cloud or shadow


def test_a_slanted_edge_is_nodata_in_optical_and_unlabelled(folder: Path):
    nodata = read(folder / "optical.tif").max(axis=0) == 0
    assert 0.01 < nodata.mean() < 0.1
    assert np.array_equal(nodata, read(folder / "label.tif")[0] == 0)
    with RasterSource(folder / "optical.tif") as source:
        assert np.array_equal(source.read(Window.whole(source.shape), (1, 2, 3, 4)).valid, ~nodata)


def test_the_sar_covers_most_of_the_scene_and_is_positive_power(folder: Path):
    sar = read(folder / "sar.tif")
    empty = np.isnan(sar)
    assert np.array_equal(empty[0], empty[1])
    assert 0.005 < empty.mean() < 0.2
    assert sar[~empty].min() > 0


def test_equal_input_gives_equal_files(folder: Path, tmp_path: Path):
    simulate_scene(RECIPE, tmp_path, 21, {"clairemap_stage": "test"})
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_bands_of_rows_leave_no_seams(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simulated, "BAND_PX", 64)
    simulate_scene(RECIPE, tmp_path, 21, {})
    for name in FILES:
        assert np.allclose(
            read(tmp_path / name), read(folder / name), rtol=1e-4, atol=1.0 if "opt" in name else 0, equal_nan=True
        )


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no ground")

    monkeypatch.setattr(simulated, "survey", broken)
    with pytest.raises(RuntimeError, match="no ground"):
        simulate_scene(RECIPE, tmp_path, 21, {})
    assert list(tmp_path.iterdir()) == []


def test_scenes_of_two_zones_show_the_same_ground_where_they_overlap():
    zone_32 = replace(RECIPE, west_m=723_000, north_m=5_322_000, size_px=96)
    zone_33 = replace(RECIPE, optical_crs="EPSG:32633", west_m=275_500, north_m=5_322_000, size_px=96)
    window = Window(0, 0, 96, 96)
    covers = [simulated.survey(positions(recipe.optical_grid, window), 21).cover for recipe in (zone_32, zone_33)]
    moved = np.zeros_like(covers[0])
    reproject(
        covers[1],
        moved,
        src_transform=zone_33.optical_grid.transform,
        src_crs=zone_33.optical_crs,
        dst_transform=zone_32.optical_grid.transform,
        dst_crs=zone_32.optical_crs,
        resampling=Resampling.nearest,
    )
    shared = moved > 0
    assert shared.sum() > 1500
    assert np.mean(moved[shared] == covers[0][shared]) > 0.93


@pytest.mark.parametrize("sign", [1, -1])
def test_sar_content_is_displaced_by_exactly_the_true_shift(sign: int):
    """On the optical grid, moved back by (dx, dy), the SAR of a displaced scene equals that of one in place."""
    crs = RECIPE.optical_crs
    in_place = replace(RECIPE, sar_crs=crs, sar_pixel=Size(10.0, 10.0), shift_px=Shift(0.0, 0.0), size_px=128)
    moved = replace(in_place, shift_px=Shift(dy=-2.0 * sign, dx=3.0))
    means = []
    for recipe in (in_place, moved):
        grid = recipe.sar_grid
        window = Window(20, 20, 100, 100)
        at = simulated._displaced_positions(grid, window, recipe)  # noqa: SLF001
        means.append(simulated.survey(at, 21).cover)
    dy = int(moved.shift_px.dy)
    assert np.mean(means[1][10 + dy : 90 + dy, 13:93] == means[0][10:90, 10:90]) > 0.995


ACQUISITION = Acquisition.drawn(2)


def test_acquired_scenes_have_the_same_labels_and_8_bit_images(folder: Path, tmp_path: Path):
    simulate_scene(replace(RECIPE, acquisition=ACQUISITION), tmp_path, 21, {"clairemap_stage": "test"})
    assert np.array_equal(read(tmp_path / "label.tif"), read(folder / "label.tif"))
    for name in ("optical.tif", "sar.tif"):
        with rasterio.open(tmp_path / name) as raster:
            assert (raster.dtypes[0], raster.nodata) == ("uint8", 0)
            assert raster.tags()["clairemap_stage"] == "test"
        assert np.array_equal(read(tmp_path / name)[0] == 0, ~has_data(folder / name))


def has_data(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read_masks(1) > 0


def test_bands_of_rows_leave_no_seams_in_acquired_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = replace(RECIPE, acquisition=replace(ACQUISITION, sar_stretch="none", optical_stretch="none"))
    for rows in (128, 64):
        monkeypatch.setattr(simulated, "BAND_PX", rows)
        simulate_scene(recipe, tmp_path / str(rows), 21, {})
    for name in FILES:
        one, other = (read(tmp_path / rows / name) for rows in ("128", "64"))
        assert np.allclose(one, other, rtol=1e-4, atol=1.0 if "opt" in name else 0, equal_nan=True)


def test_misregistration_differs_from_place_to_place_within_its_reach():
    crs = RECIPE.optical_crs
    grid = replace(RECIPE, sar_crs=crs, sar_pixel=Size(10.0, 10.0), size_px=1024).sar_grid
    at = positions(grid, Window(0, 0, 1000, 1000))
    moved = at.warped(simulated._MISREGISTERED_M, 80.0, 3)  # noqa: SLF001
    shifts_px = np.hypot(moved.x - at.x, moved.y - at.y) / 10
    assert shifts_px.max() < 1.3 * 8 * 2**0.5 and shifts_px.std() > 1
    assert np.abs(np.diff(moved.x - at.x, axis=0)).max() < 1  # smooth: below a tenth of a pixel per pixel
