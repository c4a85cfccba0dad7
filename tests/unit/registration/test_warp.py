from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.mapping import PixelMapping
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.registration import warp
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.warp import ClassesOnGrid, SarOnGrid
from clairemap.settings import SarSettings

GRID = GeoBox((120, 100), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
WHOLE = Window(0, 0, 120, 100)


def settings(scale: str = "db", speckle_filter: str = "none") -> SarSettings:
    return SarSettings(bands=("VV",), scale=scale, speckle_filter=speckle_filter)


def on_grid(path: Path, grid: GeoBox = GRID, model: Displacement = NO_DISPLACEMENT, sar: SarSettings | None = None):
    source = RasterSource(path)
    mapping = PixelMapping(grid, source.geobox, model)
    return SarOnGrid(source, (1,), sar or settings(), mapping)


@pytest.fixture
def backscatter_db() -> np.ndarray:
    values = np.random.default_rng(0).normal(-12, 4, (120, 100)).astype(np.float32)
    values[30:40, 50:55] = np.nan
    return values


def test_values_are_exact_on_the_same_grid(
    tmp_path: Path, made_rasters: ModuleType, backscatter_db: np.ndarray
) -> None:
    nearly = GeoBox(GRID.shape, Affine(10 * (1 + 1e-8), 0, 500_000.01, 0, -10, 5_300_000), GRID.crs)
    out = on_grid(made_rasters.write_raster(tmp_path / "s.tif", backscatter_db, nearly)).read(WHOLE)
    assert np.array_equal(out.valid, np.isfinite(backscatter_db))
    assert np.array_equal(out.values[0][out.valid], backscatter_db[out.valid])


def test_a_whole_displacement_moves_values_exactly(
    tmp_path: Path, made_rasters: ModuleType, backscatter_db: np.ndarray
) -> None:
    path = made_rasters.write_raster(tmp_path / "s.tif", backscatter_db, GRID)
    out = on_grid(path, model=Displacement.translation(dy_px=5, dx_px=-3)).read(Window(10, 20, 50, 40))
    expected = backscatter_db[15:65, 17:57]
    assert np.array_equal(out.valid, np.isfinite(expected))
    assert np.array_equal(out.values[0][out.valid], expected[out.valid])


def test_fractional_displacements_are_undone(tmp_path: Path, made_rasters: ModuleType) -> None:
    y, x = np.mgrid[:120, :100].astype(float)
    ground = lambda y, x: -12 + 3 * np.sin(y / 7) * np.cos(x / 9)  # noqa: E731
    path = made_rasters.write_raster(tmp_path / "s.tif", ground(y - 3.4, x + 2.3).astype(np.float32), GRID)
    out = on_grid(path, model=Displacement.translation(dy_px=3.4, dx_px=-2.3)).read(WHOLE)
    assert np.abs(out.values[0] - ground(y, x))[out.valid].max() < 0.02
    assert out.valid[:110, 10:].all()
    assert not out.valid[118:].any() and not out.valid[:, :2].any()


def test_rotation_and_scale_are_undone(tmp_path: Path, made_rasters: ModuleType) -> None:
    ground = lambda y, x: -12 + 3 * np.sin(y / 7) * np.cos(x / 9)  # noqa: E731
    turn = made_rasters.similarity(35.0, 0.9, GRID, (4.0, -2.0))
    y, x = np.mgrid[:120, :100].astype(float)
    path = made_rasters.write_raster(
        tmp_path / "s.tif", ground(*made_rasters.undisplaced(turn, y, x)).astype(np.float32), GRID
    )
    out = on_grid(path, model=turn).read(WHOLE)
    assert np.abs(out.values[0] - ground(y, x))[out.valid].max() < 0.05
    assert 0.6 < out.valid.mean() < 1 and out.valid[50:70, 40:60].all()


@pytest.mark.parametrize("crs_resolution", [("EPSG:4326", 8e-5), ("EPSG:32632", 12.0)])
def test_other_projections_and_resolutions(
    tmp_path: Path, made_rasters: ModuleType, crs_resolution: tuple[str, float]
) -> None:
    grid = made_rasters.covering(GRID, *crs_resolution)
    fields = made_rasters.Fields(GRID)
    path = made_rasters.write_raster(tmp_path / "s.tif", fields.sar_db(grid).astype(np.float32), grid)
    out = on_grid(path).read(WHOLE)
    truth = fields.sar_db(GRID)
    assert out.valid.all()
    inside = np.isclose(np.abs(np.gradient(truth)).sum(axis=0), 0)  # away from field borders
    assert np.median(np.abs(out.values[0] - truth)[inside]) < 0.01


def test_a_finer_source_is_averaged_in_linear_power(tmp_path: Path, made_rasters: ModuleType) -> None:
    fine = GeoBox((1200, 1000), Affine(1, 0, 500_000, 0, -1, 5_300_000), GRID.crs)
    power = np.random.default_rng(0).exponential(0.1, fine.shape).astype(np.float32)
    path = made_rasters.write_raster(tmp_path / "s.tif", power, fine)
    out = on_grid(path, sar=settings("linear_power")).read(WHOLE)
    assert out.valid.all()
    # A sampled pixel would scatter by 5.6 dB; a mean of dB values would be 2.5 dB too low.
    assert out.values.std() < 0.6
    assert out.values.mean() == pytest.approx(-10, abs=0.1)


def test_reading_by_windows_equals_reading_the_whole(
    tmp_path: Path, made_rasters: ModuleType, backscatter_db: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_rasters.write_raster(tmp_path / "s.tif", 10 ** (backscatter_db / 10), GRID)
    sar = on_grid(path, model=Displacement.translation(1.3, 0.6), sar=settings("linear_power", "lee"))
    whole = sar.read(WHOLE)
    part = sar.read(Window(33, 41, 50, 29))
    assert np.array_equal(part.valid, whole.valid[33:83, 41:70])
    assert np.allclose(part.values, whole.values[:, 33:83, 41:70], atol=1e-4)
    monkeypatch.setattr(warp, "CHUNK_PX", 1500)
    cut = sar.read(WHOLE)
    assert np.array_equal(cut.valid, whole.valid)
    assert np.allclose(cut.values, whole.values, atol=1e-4)


def test_outside_the_source_nothing_is_valid(tmp_path: Path, made_rasters: ModuleType) -> None:
    corner = GeoBox((20, 20), Affine(7, 0, 500_503, 0, -7, 5_299_404), GRID.crs)
    path = made_rasters.write_raster(tmp_path / "s.tif", np.full((20, 20), -9, np.float32), corner)
    out = on_grid(path).read(WHOLE)
    assert (out.values[0][out.valid] == pytest.approx(-9, abs=1e-5)) and 120 < out.valid.sum() <= 14 * 14
    assert not out.valid[:59].any() and not out.valid[:, :50].any()


def test_codes_come_from_the_nearest_pixel(tmp_path: Path, made_rasters: ModuleType) -> None:
    coarse = GeoBox((40, 34), Affine(30, 0, 500_000, 0, -30, 5_300_000), GRID.crs)
    codes = np.random.default_rng(0).integers(-1, 5, (40, 34)).astype(np.int16)
    source = RasterSource(made_rasters.write_raster(tmp_path / "l.tif", codes, coarse, nodata=-1))
    out = ClassesOnGrid(source, PixelMapping(GRID, source.geobox)).read(WHOLE)
    expected = np.kron(codes, np.ones((3, 3), np.int16))[:, :100]
    assert out.values.dtype == np.int16
    assert np.array_equal(out.valid, expected != -1)
    assert np.array_equal(out.values[0][out.valid], expected[out.valid])


def test_values_are_read_across_the_seam_of_a_source_around_the_whole_earth(
    tmp_path: Path, made_rasters: ModuleType
) -> None:
    world = GeoBox((90, 180), Affine(2, 0, -180, 0, -2, 90), "EPSG:4326")
    values = np.arange(90 * 180, dtype=np.float32).reshape(90, 180) % 67 - 60
    path = made_rasters.write_raster(tmp_path / "w.tif", values, world)
    aligned = GeoBox((20, 20), Affine(2, 0, 160, 0, -2, 50), "EPSG:4326")
    out = on_grid(path, aligned).read(Window.whole(aligned.shape))
    assert out.valid.all() and np.array_equal(out.values[0], np.roll(values, 10, axis=1)[20:40, :20])
    between = GeoBox((40, 40), Affine(1, 0, 160.5, 0, -1, 50.5), "EPSG:4326")
    assert on_grid(path, between).read(Window.whole(between.shape)).valid.all()
    codes = made_rasters.write_raster(tmp_path / "c.tif", (values > -40).astype(np.uint8), world)
    source = RasterSource(codes)
    fiji = GeoBox((64, 64), Affine(5000, 0, 660_000, 0, -5000, 8_300_000), "EPSG:32760")
    label = ClassesOnGrid(source, PixelMapping(fiji, source.geobox)).read(Window.whole(fiji.shape))
    assert label.valid.all()
