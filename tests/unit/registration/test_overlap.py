from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError, NoOverlapError
from clairemap.raster.source import RasterSource
from clairemap.registration.overlap import mapping_between

UTM = GeoBox((2048, 2048), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")


def opened(folder: Path, made_rasters: ModuleType, name: str, grid: GeoBox | None) -> RasterSource:
    return RasterSource(made_rasters.write_raster(folder / name, np.ones((1, 8, 8), np.uint8), grid))


def test_a_missing_crs_names_both_files(tmp_path: Path, made_rasters: ModuleType) -> None:
    placed = GeoBox((8, 8), UTM.transform, UTM.crs)
    with (
        opened(tmp_path, made_rasters, "a.tif", placed) as a,
        opened(tmp_path, made_rasters, "b.tif", None) as b,
        pytest.raises(GridError, match=r"b\.tif has no CRS, but .*a\.tif has EPSG:32633"),
    ):
        mapping_between(a, b)


def test_no_overlap_names_both_files_and_their_bounds(tmp_path: Path, made_rasters: ModuleType) -> None:
    here = GeoBox((8, 8), UTM.transform, UTM.crs)
    there = GeoBox((8, 8), Affine(1e-4, 0, 16.0, 0, -1e-4, 47.8), "EPSG:4326")
    with (
        opened(tmp_path, made_rasters, "a.tif", here) as a,
        opened(tmp_path, made_rasters, "b.tif", there) as b,
        pytest.raises(NoOverlapError) as caught,
    ):
        mapping_between(a, b)
    text = str(caught.value)
    assert "a.tif" in text and "b.tif" in text and "(500000, 5299920, 500080, 5300000)" in text and "(574" in text


def test_a_large_source_around_a_small_target_overlaps(tmp_path: Path, made_rasters: ModuleType) -> None:
    small = GeoBox((8, 8), Affine(1, 0, 500_040, 0, -1, 5_299_960), UTM.crs)
    with (
        opened(tmp_path, made_rasters, "a.tif", small) as a,
        opened(tmp_path, made_rasters, "b.tif", GeoBox((8, 8), UTM.transform, UTM.crs)) as b,
    ):
        assert mapping_between(a, b).source_px_per_target_px == (pytest.approx(0.1), pytest.approx(0.1))


def test_overlap_is_found_across_180_degrees(tmp_path: Path, made_rasters: ModuleType) -> None:
    grids = {"optical.tif": GeoBox((8, 8), Affine(1e-3, 0, 190, 0, -1e-3, 10), "EPSG:4326")}
    grids["same.tif"] = GeoBox((8, 8), Affine(1e-3, 0, -170, 0, -1e-3, 10), "EPSG:4326")
    grids["world.tif"] = GeoBox((8, 8), Affine(45, 0, -180, 0, -22.5, 90), "EPSG:4326")
    grids["beyond.tif"] = GeoBox((8, 8), Affine(1e-3, 0, 9.996, 0, -1e-3, 10), "EPSG:4326")  # 180 degrees away
    opened_files = {name: opened(tmp_path, made_rasters, name, grid) for name, grid in grids.items()}
    for name in ("same.tif", "world.tif"):
        mapping_between(opened_files["optical.tif"], opened_files[name])
        mapping_between(opened_files[name], opened_files["optical.tif"])
    with pytest.raises(NoOverlapError, match="do not overlap"):
        mapping_between(opened_files["optical.tif"], opened_files["beyond.tif"])
