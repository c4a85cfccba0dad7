import ast
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio._env import get_gdal_config, set_gdal_config

from clairemap.grid.window import Window
from clairemap.raster.opening import CACHE_MB, bounded_cache, copy_raster, is_stored, open_raster

PROJECT = Path(__file__).parents[3]
SOURCES = [*sorted((PROJECT / "src").rglob("*.py")), *sorted((PROJECT / "workflow").rglob("*.py"))]
OPENING = {"open", "copy", "copyfiles", "open_rasterio", "open_dataset", "WarpedVRT", "MemoryFile", "gdal"}
MB = 2**20


def limit() -> int:
    return int(get_gdal_config("GDAL_CACHEMAX"))


@pytest.fixture(autouse=True)
def unbounded():
    """Set GDAL's limit to that of a new process, which is higher than `CACHE_MB`."""
    before = limit()
    set_gdal_config("GDAL_CACHEMAX", 3000 * MB)
    yield
    set_gdal_config("GDAL_CACHEMAX", before)


@pytest.fixture
def plain(tmp_path: Path):
    path = tmp_path / "plain.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "height": 1000, "width": 1600}
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=rasterio.Affine.scale(10, -10), **profile, **blocks) as d:
        d.write(np.ones((100, 100), np.uint8), 1, window=rasterio.windows.Window(1030, 0, 100, 100))
    return path


def test_opening_bounds_the_cache(plain: Path):
    with open_raster(plain):
        assert limit() == CACHE_MB * MB
    assert limit() == CACHE_MB * MB


def test_copying_bounds_the_cache(plain: Path):
    copy_raster(plain, plain.with_name("copy.tif"), driver="COG")
    assert limit() == CACHE_MB * MB


def test_a_smaller_limit_is_kept(plain: Path):
    with bounded_cache(8), open_raster(plain):
        assert limit() == 8 * MB


def test_blocks_that_are_not_stored_are_detected(plain: Path):
    with open_raster(plain) as dataset:
        assert is_stored(dataset, Window(0, 1024, 1, 1))
        assert is_stored(dataset, Window(511, 0, 1, 1100))
        assert not is_stored(dataset, Window(512, 0, 488, 1600))
        assert not is_stored(dataset, Window(0, 0, 512, 1024))


def test_all_blocks_of_other_formats_count_as_stored(tmp_path: Path, plain: Path):
    copy_raster(plain, tmp_path / "copy.png", driver="PNG")
    with open_raster(tmp_path / "copy.png") as dataset:
        assert is_stored(dataset, Window(512, 0, 488, 1600))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_rasters_are_opened_in_one_place(path: Path):
    """Rasters opened elsewhere would not limit GDAL's cache."""
    if path.name == "opening.py":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] in ("rasterio", "rioxarray", "osgeo")
    }
    imported = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("rasterio", "rioxarray", "osgeo")
        for alias in node.names
    ]
    assert not OPENING & set(imported), imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in OPENING:
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            assert not (isinstance(root, ast.Name) and root.id in names), f"{path.name}:{node.lineno}"
