from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

from clairemap.errors import ValuesError
from clairemap.grid.window import Window
from clairemap.registration.plausible import check_optical, check_sar
from clairemap.registration.sources import optical_source, sar_source
from clairemap.settings import OpticalBands, SarBands

SIDE = 120
RNG = np.random.default_rng(7)
SPECKLE = RNG.gamma(4, 0.25, (2, SIDE, SIDE))
PARTS = RNG.normal(0, 0.2, (2, SIDE, SIDE)).astype(np.float32)  # of complex numbers
POWER = (np.array([0.1, 0.02])[:, None, None] * SPECKLE).astype(np.float32)
DECIBELS = (10 * np.log10(POWER)).astype(np.float32)
REFLECTANCE = RNG.normal(0.05, 0.03, (2, SIDE, SIDE)).astype(np.float32)
Check = Callable[..., None]


def holed(values: np.ndarray, hole: float, dtype: str | None = None, rows: int = 30) -> np.ndarray:
    """Return values with one number in the upper rows of the second band."""
    out = values.astype(dtype or values.dtype)
    out[1, :rows] = hole
    return out


@pytest.fixture
def check(tmp_path: Path, made_rasters: ModuleType) -> Check:
    """Return ``check(values, scale, **settings)``: checks a raster read in windows; optical if no scale."""

    def check(
        values: np.ndarray, scale: str | None = None, tags: tuple[float, float] | None = None, **settings: object
    ) -> None:
        path = made_rasters.write_raster(tmp_path / "file.tif", values)
        if tags:
            with rasterio.open(path, "r+") as file:
                file.scales, file.offsets = [tags[0]] * file.count, [tags[1]] * file.count
        bands = tuple(f"b{number}" for number in range(len(values)))
        if scale is None:
            source = optical_source(path, OpticalBands(bands=bands, **settings))
        else:
            chosen = SarBands(bands=bands, scale=scale, **settings)
            source = sar_source(path, chosen)
        with source:
            for top in range(0, SIDE, 48):
                source.read(Window(top, 0, 48, SIDE), tuple(range(1, len(values) + 1)))
            check_optical(source) if scale is None else check_sar(source, chosen)

    return check


@pytest.mark.parametrize(
    ("hole", "dtype"),
    [
        (-9999, "float32"), (-9999, "int16"), (-32768, "int16"), (-32767, "int32"), (-999, "float64"),
        (1e20, "float32"), (-3.4028234663852886e38, "float32"), (9.969209968386869e36, "float64"), (-50, "float32"),
        (-2147483648, "int32"), (-123456, "int32"), (32767, "int16"), (32767, "float32"), (2147483647, "int32"),
    ],
)  # fmt: skip
def test_untagged_nodata_of_an_optical_band_is_named(check: Check, hole: float, dtype: str) -> None:
    values = holed(REFLECTANCE * (10_000 if dtype.startswith("int") else 1), hole, dtype)
    with pytest.raises(
        ValuesError, match=r"file\.tif, band 2: 3600 of 14400 values.*sensors\.optical\.nodata: "
    ) as raised:
        check(values)
    named = float(str(raised.value).split("sensors.optical.nodata: ")[1].split(" ")[0])
    check(values, nodata=named)  # the remedy works


def test_one_pixel_of_a_common_nodata_value_is_reported(check: Check) -> None:
    values = REFLECTANCE.copy()
    values[0, 5, 5] = -9999
    with pytest.raises(ValuesError, match="band 1: 1 of 14400 values read are -9999"):
        check(values)


def test_the_stored_number_is_named_if_a_scale_is_applied(check: Check) -> None:
    values = holed(REFLECTANCE * 10_000, -9999, "int16")
    with pytest.raises(ValuesError, match=r"nodata: -9999 in the settings.*-a_nodata -9999 /.*file\.tif"):
        check(values, tags=(1e-4, -0.1))
    check(values, tags=(1e-4, -0.1), nodata=-9999)


@pytest.mark.parametrize(
    "values",
    [
        REFLECTANCE - 0.03,  # many are slightly negative
        holed(REFLECTANCE, -0.2),  # clipped below
        holed(REFLECTANCE, 0, rows=60),
        (REFLECTANCE * 10_000).astype(np.int16),
        holed(np.abs(REFLECTANCE) * 10_000, 65535, "uint16"),  # saturated
        holed(np.abs(REFLECTANCE) * 10_000, 0, "uint16"),
        holed(np.clip(REFLECTANCE * 3000, 0, 255), -1, "int16", rows=1),
        RNG.uniform(-1, 1, (2, SIDE, SIDE)).astype(np.float32),  # indices
        np.full((2, SIDE, SIDE), 7, np.uint8),
        np.full((2, SIDE, SIDE), np.nan, np.float32),
    ],
)
def test_legal_optical_values_pass(check: Check, values: np.ndarray) -> None:
    check(values)


@pytest.mark.parametrize("hole", [-9999, -32768, -120, 9999, 255, 1e20, -3.4028235e38])
def test_untagged_nodata_in_decibels_is_named(check: Check, hole: float) -> None:
    with pytest.raises(ValuesError, match=r"file\.tif, band 2: 3600 of 14400.*sensors\.sar\.nodata: ") as raised:
        check(holed(DECIBELS, hole), "db")
    named = float(str(raised.value).split("sensors.sar.nodata: ")[1].split(" ")[0])
    check(holed(DECIBELS, hole), "db", nodata=named)


@pytest.mark.parametrize("rows", [1, 30])
def test_a_floor_far_below_all_decibels_is_named(check: Check, rows: int) -> None:
    with pytest.raises(
        ValuesError, match=rf"band 2: {120 * rows} of 14400.*are -50, .* dB below all others.*nodata: -50 "
    ):
        check(holed(DECIBELS, -50, rows=rows), "db")
    for scale, values, floor in (("linear_power", POWER, 1e-5), ("linear_amplitude", np.sqrt(POWER), 1e-3)):
        with pytest.raises(ValuesError, match=rf"band 2: {120 * rows} of 14400.* dB below all others"):
            check(holed(values, floor, rows=rows), scale)
        check(holed(values, 0, rows=rows), scale)  # nodata anyway
    stored = holed((DECIBELS + 50) * 5, 0, "uint8", rows)
    with pytest.raises(ValuesError, match=r"nodata: 0 in the settings.*-a_nodata 0 "):
        check(stored, "db", tags=(0.2, -50))
    check(np.maximum(DECIBELS, -22), "db")  # clipped


def test_a_hole_of_zero_decibels_is_named(check: Check) -> None:
    for values in (DECIBELS, DECIBELS + 15):  # without and with brighter pixels
        with pytest.raises(ValuesError, match=r"band 2: 3600 of 14400.*are 0,.*sensors\.sar\.nodata: 0 "):
            check(holed(values, 0), "db")
        check(holed(values, 0), "db", nodata=0)
    stored = holed(DECIBELS * 100, 0, "int16")
    with pytest.raises(ValuesError, match=r"nodata: 0 "):
        check(stored, "db", tags=(0.01, 0))


@pytest.mark.parametrize("hole", [1e20, 3.4028235e38])
@pytest.mark.parametrize("scale", ["linear_power", "linear_amplitude"])
def test_untagged_nodata_of_linear_backscatter_is_named(check: Check, hole: float, scale: str) -> None:
    with pytest.raises(ValuesError, match=r"band 2: 3600 of 14400.*sensors\.sar\.nodata: "):
        check(holed(POWER, hole), scale)


def test_untagged_nodata_of_grey_values_is_named(check: Check) -> None:
    with pytest.raises(ValuesError, match=r"band 2.*-9999.*sensors\.sar\.nodata: -9999"):
        check(holed(np.rint(POWER * 1000), -9999, "int16"), "digital")


@pytest.mark.parametrize(
    ("values", "scale", "remedy"),
    [
        (DECIBELS, "linear_power", "db"),
        (DECIBELS, "linear_amplitude", "db"),
        (holed(DECIBELS, 0, rows=100), "linear_power", "db"),
        (holed(DECIBELS, -9999, rows=100), "linear_power", "db"),
        (np.rint(DECIBELS).astype(np.int8), "linear_power", "db"),
        (np.rint(DECIBELS * 100 - 1000).astype(np.int16), "linear_power", "db"),
        (np.rint(DECIBELS * 100).astype(np.int16), "db", None),
        (POWER, "db", "linear_power or linear_amplitude"),
        (np.sqrt(POWER), "db", "linear_power or linear_amplitude"),
        (POWER - 0.001, "db", "linear_power or linear_amplitude"),  # noise subtracted: some are negative
        (holed(POWER, 0, rows=100), "db", "linear_power or linear_amplitude"),
        (np.rint(np.sqrt(POWER) * 700).astype(np.uint16), "db", None),
        (np.rint(POWER * 300).clip(0, 99).astype(np.float32), "db", "digital"),
        (DECIBELS, "digital", "db"),
        (PARTS, "linear_amplitude", None),
        (np.rint(PARTS * 10_000).astype(np.int16), "linear_power", None),
        (PARTS, "db", "linear_power or linear_amplitude"),
        (POWER, "digital", "linear_power or linear_amplitude"),
    ],
)  # fmt: skip
def test_another_scale_is_reported(check: Check, values: np.ndarray, scale: str, remedy: str | None) -> None:
    expected = rf"file\.tif: sensors\.sar\.scale is {scale}, but the values range from .* \(median .*scale: "
    with pytest.raises(ValuesError, match=expected + (f"{remedy}," if remedy else "")):
        check(values, scale)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (DECIBELS, "db"),
        (DECIBELS - 15, "db"),  # sea
        (DECIBELS + 12, "db"),  # bright city: many pixels above 0 dB
        (DECIBELS + 60, "db"),  # uncalibrated
        (np.clip(DECIBELS + 10, -25, 0), "db"),  # clipped as some data sets are
        (np.rint(DECIBELS).astype(np.int8), "db"),
        (np.rint(DECIBELS + 10), "db"),  # 0 is as frequent as 1 and -1
        ((DECIBELS + 10).astype(np.float16).astype(np.float32), "db"),
        (POWER, "linear_power"),
        (POWER * 1e-3, "linear_power"),
        (POWER - 0.02, "linear_power"),  # noise subtracted: some are negative
        (holed(POWER, -9999, rows=60), "linear_power"),  # not positive: nodata
        (holed(POWER, 0, rows=110), "linear_power"),
        (np.rint(np.sqrt(POWER) * 700).astype(np.uint16), "linear_amplitude"),
        ((np.sqrt(POWER) * 65535).clip(0, 65535), "linear_amplitude"),
        ((np.sqrt(POWER) * 65535).clip(0, 65535) ** 2, "linear_power"),
        (np.rint(POWER * 300).clip(0, 255).astype(np.uint8), "digital"),
        (np.rint(POWER * 300).clip(0, 255).astype(np.float32), "digital"),
        (np.zeros((2, SIDE, SIDE), np.uint8), "digital"),
        (np.full((2, SIDE, SIDE), np.nan, np.float32), "db"),
        (np.zeros((2, SIDE, SIDE), np.float32), "linear_power"),
    ],
)
def test_backscatter_on_its_scale_passes(check: Check, values: np.ndarray, scale: str) -> None:
    check(values.astype(np.float32) if values.dtype == np.float64 else values, scale)


def test_few_stray_values_are_nodata_with_a_warning(check: Check, caplog: pytest.LogCaptureFixture) -> None:
    values = DECIBELS.copy()
    values[0, :10, 0] = np.linspace(-90, -99, 10)
    check(values, "db")
    assert "band 1: 10 values cannot be backscatter" in caplog.text
