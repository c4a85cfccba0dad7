from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import ValuesError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.registration.clouds import MAX_CODES_KEPT, SCL_CLOUD, CloudMask, cloud_source
from clairemap.registration.overlap import mapping_between
from clairemap.registration.warp import ClassesOnGrid

GRID = GeoBox((20, 20), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
Opened = Callable[..., CloudMask]


@pytest.fixture
def mask_of(tmp_path: Path, made_rasters: ModuleType) -> Opened:
    """Return ``mask_of(codes, coding, grid, nodata)``: a mask on `GRID`."""

    def mask_of(
        codes: np.ndarray,
        coding: str = "binary",
        grid: GeoBox = GRID,
        nodata: float | None = None,
        classes: tuple[int, ...] = SCL_CLOUD,
    ) -> CloudMask:
        target = RasterSource(made_rasters.write_raster(tmp_path / "t.tif", np.ones((20, 20), np.uint8), GRID))
        path = made_rasters.write_raster(tmp_path / "mask.tif", codes, grid, nodata=nodata)
        source = cloud_source(path, coding, classes)
        return CloudMask(ClassesOnGrid(source, mapping_between(target, source)), coding, classes)

    return mask_of


def codes_of(*codes: float, dtype: str = "uint8") -> np.ndarray:
    """Return a mask with rows of each code."""
    return np.resize(np.repeat(np.array(codes, dtype), 2), 20)[:, None].repeat(20, axis=1)


def read(mask: CloudMask) -> tuple[np.ndarray, np.ndarray]:
    cloudy, known = mask.read(Window(0, 0, 20, 20))
    mask.check()
    return cloudy, known


@pytest.mark.parametrize("codes", [(0,), (1,), (255,), (0, 1), (0, 255), (0, 3), (0, 100), (0, 1024), (0.0, 1.0)])
def test_zero_and_one_other_value_are_a_binary_mask(mask_of: Opened, codes: tuple[float, ...]) -> None:
    values = codes_of(*codes, dtype="float32" if isinstance(codes[0], float) else "uint16")
    cloudy, known = read(mask_of(values))
    assert np.array_equal(cloudy, values != 0) and known.all()


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ((4, 6, 9), "cloud_mask: scl"),  # scene classification
        ((6,), "cloud_mask: scl"),  # of a lake
        ((0, 4), "cloud_mask: scl"),
        ((0, 1, 255), "-a_nodata 255"),
        ((0, 1, 2, 3), "isin"),
        ((0, 1024, 2048), "isin"),  # QA60
        ((21824, 22280), "isin"),
        ((1, 21824, 22280), "cloud_mask: qa_pixel"),
        ((0, 10, 20, 35, 99), "isin"),  # probability
        ((7, 9, 12), "isin"),
        ((40,), "isin"),
        ((0, 0.25, 0.5), "isin"),
        ((0, -1), "-a_nodata -1"),
    ],
)
def test_other_codes_are_rejected_with_a_remedy(mask_of: Opened, codes: tuple[float, ...], words: str) -> None:
    dtype = "float32" if any(code % 1 for code in codes) else "int32"
    with pytest.raises(ValuesError) as raised:
        read(mask_of(codes_of(*codes, dtype=dtype)))
    message = str(raised.value)
    assert "mask.tif" in message and words in message and ", ".join(f"{code:g}" for code in sorted(codes)) in message


def test_long_lists_of_values_are_shortened(mask_of: Opened) -> None:
    probability = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    with pytest.raises(ValuesError, match="…") as raised:
        read(mask_of(probability))
    assert str(raised.value).count(", ") < 40


def test_few_values_of_probabilities_are_kept(mask_of: Opened) -> None:
    mask = mask_of(np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20))
    mask.read(Window(0, 0, 20, 20))
    mask.read(Window(0, 0, 20, 20))
    assert len(mask._seen) <= MAX_CODES_KEPT + 1
    with pytest.raises(ValuesError, match="the cloud mask contains the values 0, "):
        mask.check()


def test_scene_classification_with_the_setting_scl(mask_of: Opened) -> None:
    codes = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    values = np.tile(np.resize(np.array(codes, np.uint8), 20), (20, 1))
    cloudy, known = read(mask_of(values, "scl"))
    assert np.array_equal(cloudy, np.isin(values, (3, 8, 9, 10))) and np.array_equal(known, values != 0)


@pytest.mark.parametrize(
    ("codes", "words"), [((0, 1), "cloud_mask: binary"), ((1,), "binary"), ((0, 4, 12), "0 to 11")]
)
def test_codes_outside_the_scene_classification_are_rejected(
    mask_of: Opened, codes: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValuesError, match=words):
        read(mask_of(codes_of(*codes), "scl"))


def test_cloud_is_unknown_where_the_mask_has_no_data(mask_of: Opened) -> None:
    half = GeoBox((20, 10), GRID.transform, GRID.crs)
    for nodata in (255, 0):
        values = codes_of(0, 1, 255)[:, :10] if nodata else codes_of(0, 1)[:, :10]
        cloudy, known = read(mask_of(values, grid=half, nodata=nodata))
        assert not known[:, 10:].any() and not cloudy[:, 10:].any()
        assert np.array_equal(cloudy[:, :10], values == 1)
        assert np.array_equal(known[:, :10], values != 255), "0 is clear, even if the tag calls it nodata"


@pytest.mark.parametrize(("coding", "nodata"), [("binary", 1), ("scl", 9)])
def test_a_nodata_tag_that_means_cloud_is_rejected(mask_of: Opened, coding: str, nodata: int) -> None:
    with pytest.raises(ValuesError, match=rf"mask\.tif: {nodata} means cloud.*-unsetnodata /.*mask\.tif"):
        mask_of(codes_of(0, nodata), coding, nodata=nodata)


def test_nonzero_takes_all_codes_as_cloud_but_rejects_ground_codes(mask_of: Opened) -> None:
    values = codes_of(0, 1, 2, 3)
    cloudy, known = read(mask_of(values, "nonzero"))
    assert np.array_equal(cloudy, values != 0) and known.all()
    for codes in ((0, 4, 9), (0, -1)):
        with pytest.raises(ValuesError, match="cloud_mask: nonzero"):
            read(mask_of(codes_of(*codes, dtype="int32"), "nonzero"))
    with pytest.raises(ValuesError, match="cloud_mask: nonzero"):  # the error for binary names this setting
        read(mask_of(values))


def test_the_codes_of_the_scene_classification_that_mean_cloud_are_a_setting(mask_of: Opened) -> None:
    codes = codes_of(*range(10))
    cloudy, known = read(mask_of(codes, "scl", classes=(9, 7)))
    assert np.array_equal(cloudy, np.isin(codes, (7, 9))) and np.array_equal(known, codes != 0)
    with pytest.raises(ValuesError, match="7 means cloud in a scl cloud mask"):
        mask_of(codes, "scl", nodata=7, classes=(9, 7))


def test_bits_of_landsats_quality_band(mask_of: Opened) -> None:
    clear, cirrus, cloud, shadow, dilated, fill = 21824, 21824 | 4, 22280, 23888, 21824 | 2, 1
    codes = codes_of(clear, cirrus, cloud, shadow, dilated, fill, dtype="uint16")
    cloudy, known = read(mask_of(codes, "qa_pixel", nodata=fill))
    assert np.array_equal(cloudy, (codes != clear) & (codes != fill)) and np.array_equal(known, codes != fill)


@pytest.mark.parametrize("codes", [(0, 1), (0, 4, 8), (20480, 61472), (0, 2)])
def test_masks_without_the_confidence_bits_are_not_the_quality_band(mask_of: Opened, codes: tuple[int, ...]) -> None:
    with pytest.raises(ValuesError, match=r"lack the bits 8 and 9 of Landsat's QA_PIXEL"):
        read(mask_of(codes_of(*codes, dtype="uint16"), "qa_pixel"))


def test_a_quality_band_without_data_is_accepted(mask_of: Opened) -> None:
    _, known = read(mask_of(codes_of(1, dtype="uint16"), "qa_pixel", nodata=1))
    assert not known.any()
