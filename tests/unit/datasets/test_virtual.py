"""A sheet's virtual raster, read like a scene, has exactly the values of its chips."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio

from clairemap.datasets.samples import Sample
from clairemap.datasets.sheets import Sheet, arrange_in_sheets
from clairemap.datasets.virtual import virtual_raster
from clairemap.errors import UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource

CHIP_PX = 64
COUNT = 6
RNG = np.random.default_rng(3)

Values = Callable[[int], np.ndarray]


def decibel(number: int) -> np.ndarray:
    values = np.random.default_rng(number).normal(size=(2, CHIP_PX, CHIP_PX)).astype(np.float32)
    values[:, :number] = np.nan
    values[0, 30] = np.nan
    return values


def codes(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(-1, 2, (1, CHIP_PX, CHIP_PX)).astype(np.int16)


def grey(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 3, (3, CHIP_PX, CHIP_PX)).astype(np.uint8)


@pytest.fixture
def sheet_of(made_datasets: ModuleType, tmp_path: Path) -> Callable[..., tuple[Sheet, Path]]:
    """Return ``sheet_of(values, **profile)``: a sheet of 6 chips and its raster."""

    def made(values: Values, masked: bool = False, scaled: bool = False, **profile: object) -> tuple[Sheet, Path]:
        samples = []
        for number in range(COUNT):
            path = tmp_path / f"chip {number}.tif"
            made_datasets.write(path, values(number), **profile)
            if scaled:
                with rasterio.open(path, "r+") as file:
                    file.scales, file.offsets = [1e-4, 2e-4, 1], [-0.1, 0, 0]
            if masked:
                with rasterio.open(path, "r+") as file:
                    file.write_mask(np.random.default_rng(number).random((CHIP_PX, CHIP_PX)) < 0.8)
            samples.append(Sample(path.stem, "made", "train", {"optical": path}))
        (sheet,) = arrange_in_sheets(samples, CHIP_PX)
        raster = tmp_path / "sheet.vrt"
        raster.write_text(virtual_raster(sheet, "optical"))
        return sheet, raster

    return made


@pytest.mark.parametrize(
    ("values", "profile"),
    [
        (decibel, {"nodata": np.nan}),
        (decibel, {}),
        (codes, {}),
        (codes, {"nodata": -1}),
        (grey, {"nodata": 0}),
        (grey, {"nodata": 0, "crs": "EPSG:4326", "transform": rasterio.Affine(1e-4, 0, 8, 0, -1e-4, 50)}),
        (grey, {"masked": True}),
        (grey, {"scaled": True}),
        (lambda number: np.concatenate([grey(number), grey(number)[:1]]), {"photometric": "RGB", "alpha": "YES"}),
        (lambda number: grey(number).astype(np.float64), {"nodata": 0.1}),
        (lambda number: grey(number).astype(np.int32), {}),
        (lambda number: grey(number).astype(np.uint16), {"nodata": 65535}),
    ],
)
def test_values_and_validity_equal_those_of_the_chips(
    sheet_of: Callable[..., tuple[Sheet, Path]], values: Values, profile: dict[str, object]
) -> None:
    sheet, raster = sheet_of(values, **profile)
    invalid = 0
    with RasterSource(raster) as source:
        bands = tuple(range(1, sheet.formats["optical"].bands + 1))
        assert source.geobox.crs is None and source.shape == (sheet.rows * CHIP_PX, sheet.columns * CHIP_PX)
        whole = source.read(Window.whole(source.shape), bands)
        for row, column, chip in sheet.positions():
            with RasterSource(chip.files["optical"]) as alone:
                expected = alone.read(Window(0, 0, CHIP_PX, CHIP_PX), bands)
                assert alone.dtype == source.dtype
            place = Window(row * CHIP_PX, column * CHIP_PX, CHIP_PX, CHIP_PX).slices
            np.testing.assert_array_equal(whole.values[:, *place], expected.values)
            np.testing.assert_array_equal(whole.valid[place], expected.valid)
            invalid += int((~expected.valid).sum())
    assert (invalid > 0) == (values is decibel or profile.get("nodata") in (0, -1) or "masked" in profile)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:2000])])
def test_the_error_for_a_damaged_chip_names_it(
    sheet_of: Callable[..., tuple[Sheet, Path]], spoil: Callable[[Path], object]
) -> None:
    sheet, raster = sheet_of(grey)
    spoil(sheet.chips[4].files["optical"])
    with RasterSource(raster) as source, pytest.raises(UnreadableFileError, match=r"sheet\.vrt.*chip 4\.tif"):
        source.read(Window.whole(source.shape), (1,))


def test_the_vrt_changes_with_a_chips_file(sheet_of: Callable[..., tuple[Sheet, Path]]) -> None:
    sheet, raster = sheet_of(grey)
    assert virtual_raster(sheet, "optical") == raster.read_text()
    path = sheet.chips[2].files["optical"]
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert virtual_raster(sheet, "optical") != raster.read_text()
