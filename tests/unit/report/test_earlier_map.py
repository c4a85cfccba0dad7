from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from clairemap.errors import GridError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.report.earlier_map import difference_source
from clairemap.report.map_viewer import file_sources, index_table
from clairemap.report.pyramid import LayerSource
from clairemap.settings import load_settings

LEGEND = load_settings({}).legend
CODES = LEGEND.codes
WHOLE = Window(0, 0, 40, 60)


def write(path: Path, index: np.ndarray, crs: str | None = "EPSG:32632", left: float = 7e5) -> Path:
    height, width = index.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", crs=crs, transform=Affine(10, 0, left, 0, -10, 5e6), **profile) as raster:
        raster.write(np.where(index == 255, 255, CODES[np.minimum(index, 6)]).astype(np.uint8), 1)
    return path


def source(folder: Path, now: np.ndarray, earlier: Path, crs: str | None = "EPSG:32632") -> LayerSource:
    files = MapFiles(folder / "vale")
    write(files.landcover, now, crs)
    return difference_source(file_sources(files, LEGEND)[0], files.landcover, earlier, index_table(LEGEND))


def test_only_differences_have_the_earlier_class(tmp_path: Path):
    now, before = np.full((40, 60), 1, np.uint8), np.full((40, 60), 1, np.uint8)
    before[:10] = 3
    before[10:15] = 255
    now[:, :5] = 255
    found = source(tmp_path, now, write(tmp_path / "earlier.tif", before)).read(WHOLE, 1)
    assert (found[:10, 5:] == 3).all() and (found[10:] == 255).all() and (found[:, :5] == 255).all()


def test_another_grid_is_resampled(tmp_path: Path):
    before = np.full((40, 30), 3, np.uint8)
    earlier = write(tmp_path / "earlier.tif", before, left=7e5 + 100)
    found = source(tmp_path, np.full((40, 60), 1, np.uint8), earlier).read(WHOLE, 1)
    assert (found[:, 10:40] == 3).all() and (found[:, :10] == 255).all() and (found[:, 40:] == 255).all()


def test_grids_that_cannot_be_compared_are_an_error(tmp_path: Path):
    earlier = write(tmp_path / "earlier.tif", np.ones((40, 30), np.uint8), None)
    for crs in ("EPSG:32632", None):
        with pytest.raises(GridError, match=r"earlier\.tif: cannot be compared"):
            source(tmp_path, np.ones((40, 60), np.uint8), earlier, crs)
    (tmp_path / "broken.tif").write_text("broken")
    with pytest.raises(UnreadableFileError, match=r"broken\.tif: cannot be read .*report\.compare_with"):
        source(tmp_path, np.ones((40, 60), np.uint8), tmp_path / "broken.tif")
