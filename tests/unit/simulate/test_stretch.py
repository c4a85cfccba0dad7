from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.simulate.layers import OPTICAL, SAR, RasterLayer, new_raster, write
from clairemap.simulate.stretch import to_bytes

GRID = GeoBox((300, 520), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32632")


def made(path: Path, layer: RasterLayer, values: np.ndarray) -> None:
    with new_raster(path, GRID, layer, {}) as raster:
        write(raster, Window(0, 0, 300, 520), values)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        assert (raster.dtypes[0], raster.nodata, raster.tags()["tag"]) == ("uint8", 0, "kept")
        return raster.read()


def test_a_scene_is_stretched_between_its_percentiles_and_clouds_are_white(tmp_path: Path):
    rng = np.random.default_rng(0)
    values = rng.integers(500, 1500, (4, 300, 520)).astype(np.uint16)
    values[:, :40] = 9000
    values[:, 40:80] = 0
    made(tmp_path / "x.tif", OPTICAL, values)
    to_bytes(tmp_path / "x.tif", GRID, OPTICAL, "scene", {"tag": "kept"})
    found = read(tmp_path / "x.tif")
    assert np.all(found[:, :40] == 255) and np.all(found[:, 40:80] == 0)
    ground = found[:, 80:]
    assert ground.min() == 1 and 0.005 < (ground == 255).mean() < 0.02
    assert ground.mean() == pytest.approx(128, abs=2)


def test_a_larger_white_darkens_the_ground(tmp_path: Path):
    values = np.random.default_rng(0).integers(500, 1500, (4, 300, 520)).astype(np.uint16)
    made(tmp_path / "x.tif", OPTICAL, values)
    to_bytes(tmp_path / "x.tif", GRID, OPTICAL, "scene", {"tag": "kept"}, white=2.0)
    assert 125 < read(tmp_path / "x.tif").max() < 140


def test_blocks_are_stretched_by_themselves_and_sar_in_decibels(tmp_path: Path):
    rng = np.random.default_rng(0)
    db = rng.uniform(-20, -5, (2, 300, 520))
    db[:, :, 256:] -= 10
    power = (10 ** (db / 10)).astype(np.float32)
    power[:, :, :10] = np.nan
    made(tmp_path / "x.tif", SAR, power)
    to_bytes(tmp_path / "x.tif", GRID, SAR, "block", {"tag": "kept"})
    found = read(tmp_path / "x.tif")
    assert np.all(found[:, :, :10] == 0) and found[:, :, 10:].min() == 1
    left, right = found[:, :256, 10:256].mean(), found[:, :256, 256:512].mean()
    assert left == pytest.approx(128, abs=2) and right == pytest.approx(128, abs=2)


def test_without_stretch_the_file_stays(tmp_path: Path):
    made(tmp_path / "x.tif", OPTICAL, np.full((4, 300, 520), 700, np.uint16))
    before = (tmp_path / "x.tif").read_bytes()
    to_bytes(tmp_path / "x.tif", GRID, OPTICAL, "none", {})
    assert (tmp_path / "x.tif").read_bytes() == before
