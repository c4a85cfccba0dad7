from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from clairemap.grid.rounding import ceil_div
from clairemap.raster.overviews import Shrink, shrunk, with_overviews

CREATION = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255}


def slowly(values: NDArray[np.uint8], how: Shrink) -> NDArray[np.uint8]:
    """Return the expected result of `shrunk`, computed pixel by pixel."""
    height, width = values.shape
    answer = np.full((ceil_div(height, 2), ceil_div(width, 2)), 255, np.uint8)
    for y, x in np.ndindex(answer.shape):
        valid = [int(v) for v in values[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel() if v != 255]
        if valid:
            mean = int(np.floor(np.mean(valid) + 0.5))
            answer[y, x] = {"mode": Counter(valid).most_common(1)[0][0], "average": mean, "first": valid[0]}[how]
    return answer


@pytest.mark.parametrize("how", ["mode", "average", "first"])
@pytest.mark.parametrize("shape", [(1, 1), (40, 60), (41, 60), (40, 61), (41, 61)])
@pytest.mark.parametrize("few", [3, 254])
def test_each_pixel_comes_from_the_four_below_it(shape: tuple[int, int], how: Shrink, few: int):
    rng = np.random.default_rng(0)
    values = rng.choice(np.append(rng.permutation(255)[:few], 255).astype(np.uint8), shape)
    assert np.array_equal(shrunk(values, how, 255), slowly(values, how))


def test_levels_end_at_the_smallest_and_have_their_sums(tmp_path: Path):
    values = np.random.default_rng(0).choice(np.array([1, 7, 255], np.uint8), (1201, 2500))
    values[:, :2100] = 255  # a window without valid pixels
    with rasterio.open(tmp_path / "map.tif", "w", height=1201, width=2500, **CREATION) as dataset:
        dataset.write(values, 1)
    pyramid = with_overviews(tmp_path / "map.tif", "mode", 255, 512, {**CREATION, "sparse_ok": True}, tmp_path)
    expected = values
    for level, total in enumerate(pyramid.sums):
        expected = shrunk(expected, "mode", 255)
        with rasterio.open(pyramid.path, overview_level=level) as overview:
            assert np.array_equal(overview.read(1), expected)
        assert total == expected.sum()
    assert len(pyramid.sums) == 3 and expected.shape == (151, 313)
    with rasterio.open(pyramid.path) as whole:
        assert np.array_equal(whole.read(1), values)


def test_each_level_has_the_georeferencing_of_the_map(tmp_path: Path):
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    place = {"height": 601, "width": 1100, "crs": "EPSG:32633", "transform": transform}
    with rasterio.open(tmp_path / "map.tif", "w", **place, **CREATION) as dataset:
        dataset.write(np.full((601, 1100), 7, np.uint8), 1)
    with_overviews(tmp_path / "map.tif", "mode", 255, 512, CREATION, tmp_path)
    for level in (1, 2):
        with rasterio.open(tmp_path / f"level{level}.tif") as dataset:
            assert dataset.transform == transform @ Affine.scale(2**level) and dataset.crs.to_epsg() == 32633


def test_overviews_of_classes_equal_those_of_gdal(tmp_path: Path):
    values = np.random.default_rng(0).choice(np.array([1, 2, 3, 255], np.uint8), (600, 700))
    with rasterio.open(tmp_path / "map.tif", "w", height=600, width=700, **CREATION) as dataset:
        dataset.write(values, 1)
        dataset.build_overviews([2], rasterio.enums.Resampling.mode)
    with rasterio.open(tmp_path / "map.tif", overview_level=0) as overview:
        theirs = overview.read(1)
    ordered = np.sort(values.reshape(300, 2, 350, 2).swapaxes(1, 2).reshape(300, 350, 4), axis=-1)
    tied = (
        (ordered[..., 0] == ordered[..., 1])
        & (ordered[..., 2] == ordered[..., 3])
        & (ordered[..., 1] != ordered[..., 2])
    )  # GDAL chooses differently between two values of the same frequency
    alike = theirs == shrunk(values, "mode", 255)
    assert alike[~tied].all() and alike.mean() > 0.9
