from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from clairemap.errors import BandCountError, GridError, MissingFileError, UnreadableFileError, ValuesError
from clairemap.grid.window import Window
from clairemap.raster.census import Census, Extremes
from clairemap.raster.source import RasterSource
from clairemap.raster.values import AS_STORED, Reading

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


def test_pixels_outside_the_file_are_invalid(path: Path) -> None:
    with RasterSource(path) as source:
        block = source.read(Window(-3, 35, 10, 10), (1, 2))
        away = source.read(Window(100, 100, 5, 5), (1,))
    assert np.array_equal(block.valid, np.pad(np.ones((7, 5), np.bool_), ((3, 0), (0, 5))))
    assert np.array_equal(block.values[:, 3:, :5], BANDS[:2, :7, 35:])
    assert not block.values[:, :3].any() and not away.valid.any()


def test_nodata_tag_mask_band_and_not_finite_values_are_invalid(tmp_path: Path, made_rasters: ModuleType) -> None:
    tagged = BANDS[:2].copy()
    tagged[:, :4] = 0
    tagged[0, 10] = 0  # only one band has the nodata value
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


def test_additional_nodata_adds_to_the_nodata_tag(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((2, 30, 40), 7, np.int16)
    values[:, 0], values[:, 1] = -1, 0
    values[0, 2], values[0, 3] = -1, 0  # in one band only
    values[0, 4], values[1, 4] = -1, 0
    path = made_rasters.write_raster(tmp_path / "n.tif", values, GRID, nodata=0)
    with RasterSource(path, Reading(nodata=-1)) as source:
        both, first = (source.read(Window.whole((30, 40)), indexes).valid for indexes in ((1, 2), (1,)))
    assert np.flatnonzero(~both.all(axis=1)).tolist() == [0, 1, 2, 4]  # -1 cannot be a measurement: one band is enough
    assert not first[:5].any() and first[5:].all()


def test_additional_nodata_adds_to_a_mask_and_to_an_alpha_band(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((4, 30, 40), 7, np.uint8)
    values[:3, 0] = 0
    rows, columns = np.mgrid[:30, :40]
    masked = made_rasters.write_raster(tmp_path / "mask.tif", values[:3], GRID)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as file:
        file.write_mask(columns < 9)
    values[3] = np.where(columns < 9, 255, 0)
    alpha = made_rasters.write_raster(tmp_path / "alpha.tif", values, GRID, photometric="RGB", alpha="YES")
    for path in (masked, alpha):
        with RasterSource(path, Reading(nodata=0)) as source:
            valid = source.read(Window.whole((30, 40)), (1, 2, 3)).valid
        assert np.array_equal(valid, (rows > 0) & (columns < 9))


def test_bands_that_are_not_read_do_not_affect_validity(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((3, 30, 40), 7, np.float32)
    values[0, 0], values[2, 1], values[0, 2] = np.nan, np.nan, -1
    path = made_rasters.write_raster(tmp_path / "three.tif", values, GRID, nodata=-1)
    with RasterSource(path) as source:
        first, last = (source.read(Window.whole((30, 40)), (index,)).valid for index in (1, 3))
        pair = source.read(Window.whole((30, 40)), (1, 2)).valid
    assert np.flatnonzero(~first.all(axis=1)).tolist() == [0, 2]
    assert np.flatnonzero(~last.all(axis=1)).tolist() == [1]
    assert np.flatnonzero(~pair.all(axis=1)).tolist() == [0, 2]


def test_an_alpha_band_read_as_data_masks_nothing(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((4, 30, 40), 7, np.uint8)
    values[3, 0] = 0  # near infrared over water, in a file whose fourth band is tagged as alpha
    path = made_rasters.write_raster(tmp_path / "nir.tif", values, GRID, photometric="RGB", alpha="YES")
    with RasterSource(path) as source:
        assert source.read(Window.whole((30, 40)), (1, 2, 3, 4)).valid.all()


def test_an_alpha_band_at_any_place_masks_the_others(tmp_path: Path, made_rasters: ModuleType) -> None:
    columns = np.mgrid[:30, :40][1]
    for alpha, data in ((5, (1, 2, 3, 4)), (1, (2, 3)), (2, (1,))):
        values = np.full((max(alpha, *data), 30, 40), 7, np.uint16)
        values[alpha - 1] = np.where(columns < 9, 0, np.where(columns < 20, 1, 65535))
        path = made_rasters.write_raster(tmp_path / f"{alpha}.tif", values, GRID)
        kinds = [ColorInterp.alpha if band == alpha else ColorInterp.undefined for band in range(1, len(values) + 1)]
        with rasterio.open(path, "r+") as file:
            file.colorinterp = kinds
        with RasterSource(path) as source:
            assert source.data_bands == data
            assert np.array_equal(source.read(Window.whole((30, 40)), data).valid, columns >= 9)
            assert source.read(Window.whole((30, 40)), (*data, alpha)).valid.all()  # read as data


def test_a_missing_band_masks_the_pixel_but_a_black_or_saturated_one_does_not(
    tmp_path: Path, made_rasters: ModuleType
) -> None:
    def rows_masked(dtype: str, nodata: float, reading: Reading = AS_STORED) -> list[int]:
        values = np.full((2, 30, 40), 7, dtype)
        values[0, 0], values[:, 1], values[1, 2] = nodata, nodata, nodata
        with RasterSource(
            made_rasters.write_raster(tmp_path / "n.tif", values, GRID, nodata=nodata), reading
        ) as source:
            valid = source.read(Window.whole((30, 40)), (1, 2)).valid
        assert (valid.all(axis=1) == valid.any(axis=1)).all()
        return np.flatnonzero(~valid[:, 0]).tolist()

    missing = [("float32", -9999), ("float32", 1e20), ("int16", -32768), ("uint16", 9999), ("float64", -3.4e38)]
    for dtype, nodata in missing:
        assert rows_masked(dtype, nodata) == [0, 1, 2], (dtype, nodata)
    for dtype, nodata in (("uint8", 0), ("uint16", 65535), ("uint8", 255), ("float32", 0)):
        assert rows_masked(dtype, nodata) == [1], (dtype, nodata)
        assert rows_masked(dtype, nodata, Reading(measurable=False)) == [0, 1, 2]
    assert rows_masked("uint8", 0, Reading(zero_is_data=True)) == []


def test_each_band_has_its_own_nodata_tag(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((2, 30, 40), 7, np.int16)
    values[0, 0], values[1, 1], values[0, 2], values[1, 3] = -9999, -1, -1, -9999
    path = made_rasters.write_raster(tmp_path / "b.tif", values, GRID)
    vrt = tmp_path / "b.vrt"
    bands = "".join(
        f'<VRTRasterBand dataType="Int16" band="{band}"><NoDataValue>{nodata}</NoDataValue><SimpleSource>'
        f"<SourceFilename>{path}</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
        for band, nodata in ((1, -9999), (2, -1))
    )
    vrt.write_text(f'<VRTDataset rasterXSize="40" rasterYSize="30">{bands}</VRTDataset>')
    with RasterSource(vrt) as source:
        valid = source.read(Window.whole((30, 40)), (1, 2)).valid
    assert np.flatnonzero(~valid[:, 0]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("dtype", "stored", "tag", "met"),
    [
        ("float32", -3.4028234663852886e38, "-3.40282306073710e+38", True),
        ("float64", -3.4028234663852886e38, "-3.4e38", True),
        ("float64", float(np.float32(-9999.9)), "-9999.9", True),
        ("float32", 9.969209968386869e36, "9.96921e+36", True),
        ("float32", -9998.5, "-9999", False),
        ("uint8", 241, "-9999", False),
        ("uint8", 0, "256", False),
        ("uint32", 4294967295, "4294967295", True),
        ("int16", 3, "2.5", False),
    ],
)
def test_rounded_and_out_of_range_nodata_tags(
    tmp_path: Path, made_rasters: ModuleType, dtype: str, stored: float, tag: str, met: bool
) -> None:
    values = np.full((1, 30, 40), 2, dtype)
    values[0, :4] = stored
    path = made_rasters.write_raster(tmp_path / "v.tif", values, GRID)
    gdal_type = {"float32": "Float32", "float64": "Float64", "uint8": "Byte", "uint32": "UInt32", "int16": "Int16"}
    vrt = tmp_path / "v.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="40" rasterYSize="30"><VRTRasterBand dataType="{gdal_type[dtype]}" band="1">'
        f"<NoDataValue>{tag}</NoDataValue><SimpleSource><SourceFilename>{path}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with RasterSource(vrt) as source:
        assert (not source.read(Window.whole((30, 40)), (1,)).valid[:4].any()) is met


def test_a_mask_overrides_a_nodata_tag_that_can_be_measured(tmp_path: Path, made_rasters: ModuleType) -> None:
    columns = np.mgrid[:30, :40][1]
    for nodata, expected in ((0, columns >= 9), (-5, (columns >= 9) & (np.mgrid[:30, :40][0] > 0))):
        values = np.full((1, 30, 40), 7, np.int16)
        values[0, 0] = nodata
        path = made_rasters.write_raster(tmp_path / f"m{nodata}.tif", values, GRID, nodata=nodata)
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
            file.write_mask(columns >= 9)
        with RasterSource(path) as source:
            assert np.array_equal(source.read(Window.whole((30, 40)), (1,)).valid, expected)


def scaled(path: Path, scales: list[float], offsets: list[float]) -> Path:
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = scales, offsets
    return path


def test_scale_and_offset_are_applied_band_by_band_and_nodata_is_a_stored_number(
    tmp_path: Path, made_rasters: ModuleType
) -> None:
    stored = BANDS[:2].astype(np.int16)
    stored[1, 3] = -9999
    path = made_rasters.write_raster(tmp_path / "s.tif", stored, GRID, nodata=-9999)
    scaled(path, [1e-4, 2e-4], [-0.1, 0.0])
    with RasterSource(path) as source:
        block = source.read(Window.whole((30, 40)), (2, 1))
        assert source.dtype == block.values.dtype == np.float32 and source.is_scaled
    assert np.flatnonzero(~block.valid[:, 0]).tolist() == [3]
    keep = np.arange(30) != 3
    assert np.allclose(block.values[1, keep], stored[0, keep] * 1e-4 - 0.1, atol=1e-7)
    assert np.allclose(block.values[0, keep], stored[1, keep] * 2e-4, atol=1e-7)
    with RasterSource(path, Reading(apply_scale=False)) as source:
        assert source.dtype == np.int16 and np.array_equal(source.read(Window.whole((30, 40)), (1,)).values, stored[:1])


def test_invalid_scales_are_an_error(path: Path) -> None:
    scaled(path, [0, 1, 1], [0, 0, 0])
    with pytest.raises(ValuesError, match=r"scene\.tif.*\[0\.0, 1\.0, 1\.0\].*apply_scale: false"):
        RasterSource(path)
    RasterSource(path, Reading(apply_scale=False)).close()


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_complex_numbers_are_an_error_with_a_remedy(tmp_path: Path, dtype: str) -> None:
    with rasterio.open(tmp_path / "z.tif", "w", driver="GTiff", width=4, height=4, count=1, dtype=dtype):
        pass
    with pytest.raises(ValuesError, match=rf"z\.tif.*{dtype}.*gdal_calc\.py -A /.*z\.tif.*linear_power"):
        RasterSource(tmp_path / "z.tif")


def test_values_read_are_counted(tmp_path: Path, made_rasters: ModuleType) -> None:
    values = np.full((2, 30, 40), 7.0, np.float32)
    values[0, 0], values[1, 1, 1], values[:, 2], values[0, 3, 0] = np.nan, -5, -1, 2.0**40
    path = made_rasters.write_raster(tmp_path / "c.tif", values, GRID, nodata=-1)
    census = Census(-1e9, 1e9)
    with RasterSource(path, census=census) as source:
        source.read(Window(0, 0, 10, 40), (1, 2))
        source.read(Window(10, 0, 30, 50), (1, 2))
    assert census.px == 2 * (30 - 2) * 40
    assert census.bands[1].outside_px == 1 and census.bands[2].outside_px == 0
    assert census.bands[2].extremes == Extremes(-5.0, 1, 7.0, 7.0, 28 * 40 - 1, -5.0)
    assert census.extremes == (-5.0, 2.0**40) and census.total("negative_px") == 1
    assert np.median(census.sample) == 7


def test_band_choice(path: Path) -> None:
    with RasterSource(path) as source:
        assert source.band_indexes(("r", "g", "b"), None) == (1, 2, 3)
        assert source.band_indexes(("b", "r"), (3, 1)) == (3, 1)
        with pytest.raises(BandCountError, match=r"scene\.tif: has 3 band.*2 \(r, g\)"):
            source.band_indexes(("r", "g"), None)
        with pytest.raises(BandCountError, match="band 4"):
            source.band_indexes(("x",), (4,))


def test_missing_files_and_files_that_are_not_rasters_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="gone"):
        RasterSource(tmp_path / "gone.tif")
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(UnreadableFileError, match="text"):
        RasterSource(tmp_path / "text.tif")


def test_the_error_for_a_truncated_file_names_the_window(tmp_path: Path, made_rasters: ModuleType) -> None:
    noise = np.random.default_rng(0).integers(0, 60_000, (1, 600, 600)).astype(np.uint16)
    path = made_rasters.write_raster(tmp_path / "cut.tif", noise, tiled=True, blockxsize=128, blockysize=128)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with RasterSource(path) as source, pytest.raises(UnreadableFileError, match=r"cut\.tif.*rows 500-599, "):
        source.read(Window(500, 500, 100, 100), (1,))


def test_ground_control_points_without_a_geotransform_are_rejected(tmp_path: Path) -> None:
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
