from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.control import GroundControlPoint

from clairemap.errors import BandCountError, GridError, MissingFileError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource

GRID = GeoBox((30, 40), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
BANDS = np.random.default_rng(0).integers(1, 3000, (3, 30, 40)).astype(np.uint16)


@pytest.fixture
def path(tmp_path: Path, made_rasters: ModuleType) -> Path:
    return made_rasters.write_raster(tmp_path / "scene.tif", BANDS, GRID)


def test_a_window_of_some_bands(path: Path) -> None:
    with RasterSource(path) as source:
        block = source.read(Window(5, 7, 10, 12), (3, 1))
        assert source.shape == (30, 40) and source.dtype == np.uint16 and source.geobox == GRID
    assert block.values.dtype == np.uint16
    assert np.array_equal(block.values, BANDS[[2, 0], 5:15, 7:19])
    assert block.valid.all()


def test_outside_the_file_nothing_is_valid(path: Path) -> None:
    with RasterSource(path) as source:
        block = source.read(Window(-3, 35, 10, 10), (1, 2))
        away = source.read(Window(100, 100, 5, 5), (1,))
    assert np.array_equal(block.valid, np.pad(np.ones((7, 5), np.bool_), ((3, 0), (0, 5))))
    assert np.array_equal(block.values[:, 3:, :5], BANDS[:2, :7, 35:])
    assert not block.values[:, :3].any() and not away.valid.any()


def test_nodata_tag_mask_band_and_not_finite_values_are_invalid(tmp_path: Path, made_rasters: ModuleType) -> None:
    tagged = BANDS[:2].copy()
    tagged[:, :4] = 0
    tagged[0, 10] = 0  # one band alone may be nodata's value
    with RasterSource(made_rasters.write_raster(tmp_path / "tag.tif", tagged, GRID, nodata=0)) as source:
        assert np.array_equal(source.read(Window.whole((30, 40)), (1, 2)).valid, np.mgrid[:30, :40][0] >= 4)

    masked = made_rasters.write_raster(tmp_path / "mask.tif", tagged, GRID)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(np.mgrid[:30, :40][1] < 9)
    with RasterSource(masked) as source:
        assert np.array_equal(source.read(Window.whole((30, 40)), (1,)).valid, np.mgrid[:30, :40][1] < 9)

    floats = BANDS[:2].astype(np.float32)
    floats[1, 3, 3], floats[0, 4, 4] = np.nan, np.inf
    with RasterSource(made_rasters.write_raster(tmp_path / "float.tif", floats, GRID)) as source:
        block = source.read(Window.whole((30, 40)), (1, 2))
    assert np.argwhere(~block.valid).tolist() == [[3, 3], [4, 4]]
    assert np.isfinite(block.values).all()


def test_the_settings_nodata_adds_to_what_the_file_says(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((2, 30, 40), 7, np.int16)
    values[:, 0], values[:, 1] = -1, 0
    values[0, 2], values[0, 3] = -1, 0  # in one band alone
    values[0, 4], values[1, 4] = -1, 0
    path = made_rasters.write_raster(tmp_path / "n.tif", values, GRID, nodata=0)
    with RasterSource(path, nodata=-1) as source:
        both, first = (source.read(Window.whole((30, 40)), indexes).valid for indexes in ((1, 2), (1,)))
    assert not both[:2].any() and both[2:].all()
    assert not first[:5].any() and first[5:].all()


def test_the_settings_nodata_adds_to_a_mask_and_to_an_alpha_band(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((4, 30, 40), 7, np.uint8)
    values[:3, 0] = 0
    rows, columns = np.mgrid[:30, :40]
    masked = made_rasters.write_raster(tmp_path / "mask.tif", values[:3], GRID)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(columns < 9)
    values[3] = np.where(columns < 9, 255, 0)
    alpha = made_rasters.write_raster(tmp_path / "alpha.tif", values, GRID, photometric="RGB", alpha="YES")
    for path in (masked, alpha):
        with RasterSource(path, nodata=0) as source:
            valid = source.read(Window.whole((30, 40)), (1, 2, 3)).valid
        assert np.array_equal(valid, (rows > 0) & (columns < 9))


def test_bands_that_are_not_chosen_have_no_say(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((3, 30, 40), 7, np.float32)
    values[0, 0], values[2, 1], values[0, 2] = np.nan, np.nan, -1
    path = made_rasters.write_raster(tmp_path / "three.tif", values, GRID, nodata=-1)
    with RasterSource(path) as source:
        first, last = (source.read(Window.whole((30, 40)), (index,)).valid for index in (1, 3))
        pair = source.read(Window.whole((30, 40)), (1, 2)).valid
    assert np.flatnonzero(~first.all(axis=1)).tolist() == [0, 2]
    assert np.flatnonzero(~last.all(axis=1)).tolist() == [1]
    assert np.flatnonzero(~pair.all(axis=1)).tolist() == [0]


def test_an_alpha_band_read_as_data_masks_nothing(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((4, 30, 40), 7, np.uint8)
    values[3, 0] = 0  # near infrared over water, in a file that calls its fourth band alpha
    path = made_rasters.write_raster(tmp_path / "nir.tif", values, GRID, photometric="RGB", alpha="YES")
    with RasterSource(path) as source:
        assert source.read(Window.whole((30, 40)), (1, 2, 3, 4)).valid.all()


def test_band_choice(path: Path) -> None:
    with RasterSource(path) as source:
        assert source.band_indexes(("r", "g", "b"), None) == (1, 2, 3)
        assert source.band_indexes(("b", "r"), (3, 1)) == (3, 1)
        with pytest.raises(BandCountError, match=r"scene\.tif: has 3 band.*2 \['r', 'g'\]"):
            source.band_indexes(("r", "g"), None)
        with pytest.raises(BandCountError, match="band 4"):
            source.band_indexes(("x",), (4,))


def test_a_missing_file_and_one_that_is_no_raster_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="gone"):
        RasterSource(tmp_path / "gone.tif")
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(UnreadableFileError, match="text"):
        RasterSource(tmp_path / "text.tif")


def test_a_truncated_file_is_named_with_the_window(tmp_path: Path, made_rasters: ModuleType) -> None:
    noise = np.random.default_rng(0).integers(0, 60_000, (1, 600, 600)).astype(np.uint16)
    path = made_rasters.write_raster(tmp_path / "cut.tif", noise, tiled=True, blockxsize=128, blockysize=128)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with RasterSource(path) as source, pytest.raises(UnreadableFileError, match=r"cut\.tif.*rows 500-600"):
        source.read(Window(500, 500, 100, 100), (1,))


def test_ground_control_points_alone_are_no_grid(tmp_path: Path) -> None:
    points = [GroundControlPoint(row, col, col * 10.0, row * 10.0) for row, col in ((0, 0), (0, 9), (9, 0), (9, 9))]
    with rasterio.open(
        tmp_path / "slant.tif", "w", driver="GTiff", width=10, height=10, count=1, dtype="uint8"
    ) as file:
        file.gcps = (points, rasterio.CRS.from_epsg(4326))
    with pytest.raises(GridError, match="4 ground control points"):
        RasterSource(tmp_path / "slant.tif")


def test_without_georeference_the_grid_is_plain_pixels(tmp_path: Path, made_rasters: ModuleType) -> None:
    with RasterSource(made_rasters.write_raster(tmp_path / "plain.tif", BANDS)) as source:
        assert source.geobox.crs is None and source.geobox.transform == Affine.identity()
