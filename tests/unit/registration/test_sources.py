from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import BandCountError, ValuesError
from clairemap.grid.window import Window
from clairemap.registration.sources import codes_source, optical_source, sar_source
from clairemap.settings import OpticalBands, SarBands

Written = Callable[..., Path]
WHOLE = Window(0, 0, 20, 20)


@pytest.fixture
def written(tmp_path: Path, made_rasters: ModuleType) -> Written:
    """Return ``written(values, scale, offset, **profile)``: a raster's path."""

    def written(values: np.ndarray, scale: float = 1, offset: float = 0, **profile: object) -> Path:
        path = made_rasters.write_raster(tmp_path / "file.tif", values, **profile)
        if (scale, offset) != (1, 0):
            with rasterio.open(path, "r+") as file:
                file.scales, file.offsets = [scale] * file.count, [offset] * file.count
        return path

    return written


def test_settings_reach_both_sensors(written: Written) -> None:
    path = written(np.full((1, 20, 20), 100, np.int16), 0.01, -2)
    for opened, settings in (
        (optical_source, OpticalBands(bands=("b",), nodata=100)),
        (sar_source, SarBands(bands=("b",), nodata=100)),
    ):
        assert not opened(path, settings).read(WHOLE, (1,)).valid.any()
        for apply, value in ((True, -1), (False, 100)):
            changed = settings.model_copy(update={"nodata": None, "apply_scale": apply})
            assert (opened(path, changed).read(WHOLE, (1,)).values == np.float32(value)).all()


def test_zero_is_nodata_in_backscatter_but_not_in_grey_values_or_reflectance(written: Written) -> None:
    values = np.full((2, 20, 20), 7, np.float32)
    values[0, 0], values[:, 1] = 0, 0
    path, bands = written(values, nodata=0), ("VV", "VH")
    for scale, missing in (("db", [0, 1]), ("linear_power", [0, 1]), ("digital", [1])):
        valid = sar_source(path, SarBands(bands=bands, scale=scale)).read(WHOLE, (1, 2)).valid
        assert np.flatnonzero(~valid[:, 0]).tolist() == missing
    valid = optical_source(path, OpticalBands(bands=bands)).read(WHOLE, (1, 2)).valid
    assert np.flatnonzero(~valid[:, 0]).tolist() == [1]


@pytest.mark.parametrize("scale", ["linear_power", "linear_amplitude", "db"])
def test_bytes_are_not_backscatter(written: Written, scale: str) -> None:
    path = written(np.full((1, 20, 20), 7, np.uint8))
    with pytest.raises(ValuesError, match=rf"file\.tif.*uint8.*{scale}.*sensors\.sar\.scale: digital"):
        sar_source(path, SarBands(bands=("VV",), scale=scale))
    sar_source(path, SarBands(bands=("VV",), scale="digital")).close()


def test_scaled_bytes_can_be_backscatter(written: Written) -> None:
    path = written(np.full((1, 20, 20), 100, np.uint8), 0.2, -40)
    assert (sar_source(path, SarBands(bands=("VV",), scale="db")).read(WHOLE, (1,)).values == -20).all()


def test_codes_have_one_band_and_optional_alpha(written: Written) -> None:
    values = np.full((2, 20, 20), 3, np.uint8)
    values[1, 0] = 0
    path = written(values)
    with pytest.raises(BandCountError, match=r"file\.tif: has 2 band.*gdal_translate -b 1 /.*file\.tif label\.tif"):
        codes_source(path, "label")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
    valid = codes_source(path, "label").read(WHOLE, (1,)).valid
    assert not valid[0].any() and valid[1:].all()


def test_a_picture_of_class_colours_gets_a_command_that_works(written: Written) -> None:
    colours = np.array([[59, 125, 216], [31, 111, 58]], np.uint8)
    picture = colours[np.repeat([0, 1], [150, 250]).reshape(20, 20)].transpose(2, 0, 1)
    with pytest.raises(BandCountError, match="3 band") as raised:
        codes_source(written(picture), "label")
    message = str(raised.value)
    path = message.split(": has 3")[0]
    assert Path(path).is_file()
    assert f"gdal_calc.py -A {path} --A_band=1 -B {path} --B_band=2 -C {path} --C_band=3" in message
    assert "(1 and 2 are codes that your legend does not use)" in message
    formula = message.split('--calc="')[1].split('"')[0]
    codes = eval(formula, {}, dict(zip("ABC", picture.astype(int), strict=True)))
    assert set(np.unique(codes)) == {1, 2} and (codes == 1).sum() == 250
    legend = Legend(classes=(LandCoverClass(code=1, name="water"), LandCoverClass(code=2, name="forest")), ignore=(3,))
    with pytest.raises(
        BandCountError, match=r"code in legend\.classes.*\(4 and 5 are codes that your legend"
    ) as raised:
        codes_source(written(picture), "label", legend=legend)
    formula = str(raised.value).split('--calc="')[1].split('"')[0]
    codes = eval(formula, {}, dict(zip("ABC", picture.astype(int), strict=True)))
    assert set(np.unique(codes)) == {4, 5}  # the example uses only unused codes
    with pytest.raises(BandCountError, match=r"cloud raster must have one, of 0 where clear"):
        codes_source(written(picture), "cloud")


@pytest.mark.parametrize("role", ["label", "cloud"])
@pytest.mark.parametrize(("scale", "offset"), [(0.5, 0), (1, 1)])
def test_scaled_codes_are_rejected(written: Written, role: str, scale: float, offset: float) -> None:
    path = written(np.ones((1, 20, 20), np.uint8), scale, offset)
    with pytest.raises(
        ValuesError, match=rf"{role} has scale {scale:g} and offset {offset:g}.*-scale 1 -offset 0 /.*file"
    ):
        codes_source(path, role)


@pytest.mark.parametrize("role", ["label", "cloud"])
def test_complex_codes_are_rejected(written: Written, role: str) -> None:
    with pytest.raises(ValuesError, match="complex64"):
        codes_source(written(np.ones((1, 20, 20), np.complex64)), role)


def described(path: Path, *texts: str) -> Path:
    with rasterio.open(path, "r+") as file:
        file.descriptions = texts
    return path


@pytest.mark.parametrize("texts", [("VH", "VV"), ("Sigma0_VH", "Sigma0_VV"), ("vh (dB)", "vv (dB)")])
def test_descriptions_in_another_order_are_an_error_with_the_right_indexes(written: Written, texts: tuple[str]) -> None:
    path = described(written(np.full((2, 20, 20), 7, np.float32)), *texts)
    with pytest.raises(BandCountError, match=r"file\.tif.*sensors\.sar\.indexes: \[2, 1\].*-b 2 -b 1"):
        sar_source(path, SarBands())
    for indexes in ((2, 1), (1, 2)):
        sar_source(path, SarBands(indexes=indexes))


def test_descriptions_of_sentinel2_in_the_order_of_their_numbers_are_an_error(written: Written) -> None:
    path = described(written(np.full((4, 20, 20), 7, np.uint16)), "B2", "B3", "B4", "B8")
    with pytest.raises(BandCountError, match=r"sensors\.optical\.indexes: \[3, 2, 1, 4\]"):
        optical_source(path, OpticalBands())


@pytest.mark.parametrize(
    "texts",
    [
        ("red", "green", "blue", "nir"),
        ("B4", "B3", "B2", "B8"),
        ("B3", "B2", "B1", "B4"),  # Landsat 7
        ("SR_B4", "SR_B3", "SR_B2", "SR_B5"),  # Landsat 8
        ("red", "blue", "green", "red"),
        ("", "", "", ""),
    ],
)
def test_descriptions_in_the_same_order_or_of_other_sensors_are_fine(written: Written, texts: tuple[str]) -> None:
    optical_source(described(written(np.full((4, 20, 20), 7, np.uint16)), *texts), OpticalBands())
