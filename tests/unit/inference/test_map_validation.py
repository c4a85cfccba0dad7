from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.artefacts.map_check import MapFacts
from clairemap.errors import MapCheckError
from clairemap.grid.window import Window
from clairemap.inference.map_validation import CheckedMap, map_facts
from clairemap.raster.cog import CogWriter, MapLayer
from clairemap.raster.overviews import Shrink

Write = Callable[..., CheckedMap]
GRID = GeoBox((700, 900), Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")
CLASSES = np.random.default_rng(0).choice(np.array([1, 7, 255], np.uint8), (700, 900))
PERCENT = np.where(CLASSES == 255, 255, 3 * CLASSES).astype(np.uint8)


@pytest.fixture
def write(tmp_path: Path):
    """Return ``write(name, values)``: a map with allowed values 1 and 7, or 0..100 if averaged."""

    def make(name: str, values: NDArray[np.uint8], how: Shrink = "mode", grid: GeoBox = GRID):
        path = tmp_path / f"{name}.tif"
        with CogWriter(path, grid, MapLayer(name, how)) as writer:
            writer.write(Window.whole(values.shape), values)
        return CheckedMap(path, frozenset(range(101)) if how == "average" else frozenset({1, 7}), how)

    return make


def test_valid_maps_pass_and_are_counted(write: Write):
    classes, percent = map_facts([write("classes", CLASSES), write("percent", PERCENT, "average")], GRID)
    assert classes == MapFacts(
        overviews=1, pixels=dict(zip((1, 7, 255), np.bincount(CLASSES.ravel())[[1, 7, 255]].tolist(), strict=True))
    )
    assert percent.pixels == {3: classes.pixels[1], 21: classes.pixels[7], 255: classes.pixels[255]}


@pytest.mark.parametrize("crs", [None, "+proj=laea +lat_0=45 +lon_0=7.3", "EPSG:4326"])
def test_any_crs_passes(write: Write, crs: str | None):
    grid = GeoBox((60, 50), Affine(0.01, 0, 7, 0, -0.01, 45), crs)
    (found,) = map_facts([write("classes", CLASSES[:60, :50], grid=grid)], grid)
    assert sum(found.pixels.values()) == 60 * 50


def test_maps_of_nodata_pass(write: Write):
    nothing = np.full(GRID.shape, 255, np.uint8)
    maps = [write("classes", nothing), write("percent", nothing, "average")]
    assert [facts.pixels for facts in map_facts(maps, GRID)] == [{255: 630_000}] * 2


@pytest.mark.parametrize(
    ("grid", "fault"),
    [
        (GeoBox((700, 901), GRID.transform, GRID.crs), r"shape \(700, 900\), expected \(700, 901\)"),
        (GeoBox(GRID.shape, Affine(10, 0, 500_000, 0, -10, 4_999_996), GRID.crs), "offset by up to 0.4 px"),
        (GeoBox(GRID.shape, Affine(10.001, 0, 500_000, 0, -10, 5_000_000), GRID.crs), "offset by"),
        (GeoBox(GRID.shape, GRID.transform, "EPSG:32632"), "offset by"),
        (GeoBox(GRID.shape, GRID.transform, None), "CRS EPSG:32633, expected None"),
    ],
)
def test_map_on_another_grid_is_an_error(write: Write, grid: GeoBox, fault: str):
    with pytest.raises(MapCheckError, match=f"classes.tif.*{fault}.*run again"):
        map_facts([write("classes", CLASSES)], grid)


@pytest.mark.parametrize(
    ("dtype", "bands", "fault"),
    [("uint16", 1, r"1 band\(s\) of uint16"), ("uint8", 2, r"2 band\(s\) of uint8, uint8")],
)
def test_other_data_type_or_several_bands_is_an_error(tmp_path: Path, dtype: str, bands: int, fault: str):
    path = tmp_path / "classes.tif"
    profile = {"driver": "COG", "count": bands, "dtype": dtype, "nodata": 255, "height": 700, "width": 900}
    with rasterio.open(path, "w", crs=str(GRID.crs), transform=GRID.transform, **profile) as dataset:
        dataset.write(np.stack([CLASSES] * bands).astype(dtype))
    with pytest.raises(MapCheckError, match=f"classes.tif: {fault}, expected 1 of uint8; delete.*run again"):
        map_facts([CheckedMap(path, frozenset({1, 7}), "mode")], GRID)


def test_invalid_values_are_an_error(write: Write):
    wrong = CLASSES.copy()
    wrong[3, 4] = 9
    with pytest.raises(MapCheckError, match=r"values \[9\], expected nodata or 1, 7; delete"):
        map_facts([write("classes", wrong)], GRID)
    with pytest.raises(MapCheckError, match=r"values \[101\]"):
        map_facts([write("percent", np.where(CLASSES == 7, 101, CLASSES).astype(np.uint8), "average")], GRID)


def test_nodata_at_other_pixels_is_an_error(write: Write):
    other = PERCENT.copy()
    y, x = np.argwhere(CLASSES != 255)[500]
    other[y, x] = 255
    with pytest.raises(MapCheckError, match=f"percent.tif: row {y}, column {x} is nodata"):
        map_facts([write("classes", CLASSES), write("percent", other, "average")], GRID)


def test_overview_value_that_is_not_in_the_map_is_an_error(write: Write):
    """Averaged class codes give such values."""
    classes = np.where(np.arange(900) % 2, 1, 7).astype(np.uint8)[None].repeat(700, 0)
    averaged = write("classes", classes, "average")
    with pytest.raises(MapCheckError, match=r"values in overview 1 \[4\]"):
        map_facts([CheckedMap(averaged.path, frozenset({1, 4, 7}), "mode")], GRID)
    (found,) = map_facts([averaged], GRID)
    assert found.pixels == {1: 315_000, 7: 315_000}


def test_invalid_cog_is_an_error(tmp_path: Path):
    plain = tmp_path / "plain.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "height": 700, "width": 900}
    with rasterio.open(plain, "w", crs="EPSG:32633", transform=GRID.transform, **profile) as dataset:
        dataset.write(CLASSES, 1)
    with pytest.raises(MapCheckError, match="not a valid COG.*not tiled"):
        map_facts([CheckedMap(plain, frozenset({1, 7}), "mode")], GRID)
    with pytest.raises(MapCheckError, match="absent.tif: cannot be read"):
        map_facts([CheckedMap(tmp_path / "absent.tif", frozenset(), "mode")], GRID)


def test_truncated_map_is_an_error(write: Write):
    made = write("classes", CLASSES)
    content = made.path.read_bytes()
    made.path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(MapCheckError, match="cannot be read|not a valid COG"):
        map_facts([made], GRID)


def test_map_with_another_nodata_is_an_error(write: Write):
    made = write("classes", CLASSES)
    with rasterio.open(made.path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.nodata = 0
    with pytest.raises(MapCheckError):
        map_facts([made], GRID)


FAR = GeoBox((40_000, 60_000), GRID.transform, GRID.crs)


def test_sparse_maps_pass_and_are_counted(tmp_path: Path):
    found = map_facts([spots(tmp_path, "classes"), spots(tmp_path, "again")], FAR)
    assert [facts.pixels for facts in found] == [{7: 20_000, 255: 40_000 * 60_000 - 20_000}] * 2


def test_nodata_at_other_pixels_of_an_empty_block_is_an_error(tmp_path: Path):
    with pytest.raises(MapCheckError, match=r"other.tif: row 30000, column 9000 is nodata"):
        map_facts([spots(tmp_path, "classes"), spots(tmp_path, "other", Window(30_000, 9_000, 5, 5))], FAR)


def spots(folder: Path, name: str, *more: Window) -> CheckedMap:
    path = folder / f"{name}.tif"
    with CogWriter(path, FAR, MapLayer(name, "mode")) as writer:
        for window in (Window(0, 0, 100, 100), Window(39_900, 59_900, 100, 100), *more):
            writer.write(window, np.full(window.shape, 7, np.uint8))
    return CheckedMap(path, frozenset({1, 7}), "mode")


SLIVERS = [(1, 1), (700, 1), (1, 700), (2600, 1), (2, 700), (700, 2), (2600, 3), (5000, 2), (20, 600)]


@pytest.mark.parametrize("shape", SLIVERS)
def test_maps_of_any_width_and_height_pass(write: Write, shape: tuple[int, int]):
    grid = GeoBox(shape, GRID.transform, GRID.crs)
    codes = np.where(np.arange(shape[0] * shape[1]).reshape(shape) % 3, 1, 7).astype(np.uint8)
    (facts,) = map_facts([write("classes", codes, grid=grid)], grid)
    assert facts.pixels == {value: int((codes == value).sum()) for value in np.unique(codes).tolist()}


def test_a_large_map_without_overviews_is_an_error(tmp_path: Path):
    profile = {"driver": "COG", "count": 1, "dtype": "uint8", "nodata": 255, "height": 700, "width": 900}
    with rasterio.open(
        tmp_path / "bare.tif", "w", crs="EPSG:32633", transform=GRID.transform, overviews="NONE", **profile
    ) as dataset:
        dataset.write(CLASSES, 1)
    with pytest.raises(MapCheckError, match="not a valid COG.*internal overviews"):
        map_facts([CheckedMap(tmp_path / "bare.tif", frozenset({1, 7}), "mode")], GRID)
