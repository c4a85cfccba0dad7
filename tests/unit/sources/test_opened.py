"""What stages open for a role, and which files decide on reruns."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.made_products import Sentinel2, write_bands

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources, write_scene_sources
from clairemap.errors import StoreError
from clairemap.raster.identity import identities, remembered
from clairemap.raster.virtual_raster import VirtualRaster
from clairemap.settings import ResolvedOptical, ResolvedSar, ResolvedSensors
from clairemap.sources.opened import SceneRasters
from clairemap.sources.resolved_cells import resolved_cells

SENSORS = ResolvedSensors(optical=ResolvedOptical(bands=("red",)), sar=ResolvedSar(bands=("VV",)))


def test_single_rasters_are_opened_as_they_are():
    rasters = SceneRasters({"optical": "a.tif", "sar": None, "label": "l.tif", "cloud": "c.tif"})
    assert rasters.raster("optical") == Path("a.tif") and rasters.raster("sar") is None
    assert rasters.single_files() == {"optical": Path("a.tif"), "label": Path("l.tif"), "cloud": Path("c.tif")}
    assert resolved_cells({"optical": "a.tif", "sar": "b.tif", "cloud": "c.tif"}, SENSORS) == ()


def test_products_are_virtual_rasters_and_their_mask_is_the_default(
    tmp_path: Path, roles: Callable[..., dict[str, ResolvedRole]]
):
    product = str(Sentinel2().write(tmp_path))
    record = tmp_path / "sources.json"
    found = roles({"optical": product}, optical={"bands": ["red"]})
    write_scene_sources(record, SceneSources(scene="west", roles=found))
    rasters = SceneRasters({"optical": product, "label": "l.tif"}, record)
    cloud = rasters.raster("cloud")
    assert isinstance(rasters.raster("optical"), VirtualRaster) and isinstance(cloud, VirtualRaster)
    assert cloud.coding == "scl" and list(rasters.single_files()) == ["label"]
    own = SceneRasters({"optical": product, "cloud": "c.tif"}, record)
    assert own.raster("cloud") == Path("c.tif"), "also beside an older record"
    with pytest.raises(StoreError, match="no role sar"):
        rasters.sensor("sar")


def test_a_named_mask_comes_before_the_products(tmp_path: Path):
    product = str(Sentinel2().write(tmp_path))
    found = resolved_cells({"optical": product, "cloud": "c.tif"}, SENSORS)
    assert [one.role for one in found] == ["optical"]
    assert [one.role for one in resolved_cells({"optical": product, "cloud": "SCL"}, SENSORS)] == ["optical", "cloud"]


def test_the_identities_of_all_files_of_a_role_are_compared(tmp_path: Path):
    names = ["S1_VH.tif", "S1_VV.tif"]
    write_bands(tmp_path / "s", {name: np.ones((4, 4), np.float32) for name in names}, dict.fromkeys(names, 10))
    (cell,) = resolved_cells({"sar": str(tmp_path / "s")}, SENSORS)
    assert list(cell.files) == ["S1_VV.tif"], "only the wanted band"
    record = tmp_path / "files_read.json"
    with remembered({"sar": cell.files}, record):
        pass
    before = identities({"sar": cell.files}, record).of("sar")
    os.utime(tmp_path / "s" / "S1_VV.tif", (1e9, 1e9))
    assert identities({"sar": cell.files}, record).of("sar") == before
    (tmp_path / "s").rename(tmp_path / "moved")
    (moved,) = resolved_cells({"sar": str(tmp_path / "moved")}, SENSORS)
    assert identities({"sar": moved.files}, record).of("sar") == before
    content = (tmp_path / "moved" / "S1_VV.tif").read_bytes()
    (tmp_path / "moved" / "S1_VV.tif").write_bytes(content[:-1] + b"x")
    assert identities({"sar": moved.files}, record).of("sar") != before
