from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from clairemap.accuracy import strata as strata_module
from clairemap.accuracy.draw import OUTSIDE
from clairemap.accuracy.strata import Buffer, Stratification
from clairemap.classes import LandCoverClass, Legend
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource

LEGEND = Legend(
    classes=(
        LandCoverClass(code=5, name="water"),
        LandCoverClass(code=2, name="forest"),
        LandCoverClass(code=9, name="loss"),
    )
)


@pytest.fixture
def landcover(tmp_path: Path) -> Path:
    codes = np.full((70, 90), 2, np.uint8)
    codes[:, 60:] = 5
    codes[30:34, 20:26] = 9
    codes[30:34, 62:64] = 9
    codes[:10] = 255
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "width": 90, "height": 70}
    path = tmp_path / "map.tif"
    with rasterio.open(path, "w", crs="EPSG:32633", transform=from_origin(5e5, 5e6, 10, 10), **profile) as file:
        file.write(codes, 1)
    return path


def whole(stratification: Stratification, path: Path, zones: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
    with RasterSource(path) as source:
        found = np.full(source.shape, OUTSIDE, np.int32)
        zone_of = None if zones is None else lambda window: zones[window.slices]
        for window, part in stratification.windows(source, zone_of):
            found[window.slices] = part
    return found


def test_classes_are_strata_in_the_legends_order(landcover: Path):
    found = whole(Stratification(LEGEND), landcover)
    assert [found[5, 5], found[20, 80], found[20, 5], found[31, 21]] == [OUTSIDE, 0, 1, 2]
    assert Stratification(LEGEND).names == ("water", "forest", "loss")


@pytest.mark.parametrize("window_px", [16, 1024])
def test_buffer_is_around_the_class_and_not_of_it(landcover: Path, window_px: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strata_module, "WINDOW_PX", window_px)
    stratification = Stratification(LEGEND, Buffer(around=2, px=3))
    found = whole(stratification, landcover)
    assert stratification.names[3] == "near loss"
    expected = np.zeros((70, 90), bool)
    expected[27:37, 17:29] = True
    expected[27:37, 59:67] = True
    assert np.array_equal(found == 3, expected & (found != 2))
    assert (found == 2).sum() == 4 * 6 + 4 * 2
    assert (found[:10] == OUTSIDE).all()


def test_zones_cross_the_classes(landcover: Path):
    zones = np.zeros((70, 90), np.int32)
    zones[40:] = 1
    zones[:, 85:] = OUTSIDE
    stratification = Stratification(LEGEND, zones=("north", "south"))
    found = whole(stratification, landcover, zones)
    assert stratification.names[4] == "south: forest"
    assert [found[20, 5], found[50, 5], found[50, 70], found[50, 88]] == [1, 4, 3, OUTSIDE]


def test_a_window_holds_the_strata_of_its_pixels(landcover: Path):
    with RasterSource(landcover) as source:
        [(window, part)] = Stratification(LEGEND).windows(source)
    assert window == Window(0, 0, 70, 90)
    assert part.shape == window.shape
