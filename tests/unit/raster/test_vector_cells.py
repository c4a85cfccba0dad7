from pathlib import Path

import pytest

from clairemap.raster.vector_cells import is_vector

SUFFIXES = ("gpkg", "GeoJSON", "shp", "fgb", "parquet", "geoparquet", "gdb", "json")


@pytest.mark.parametrize("name", [f"a.{suffix}" for suffix in SUFFIXES])
def test_vector_files_are_recognised_without_opening_them(name: str):
    assert is_vector(Path("absent", name))


@pytest.mark.parametrize("name", ["a.tif", "a.vrt", "a.SAFE", "a.zip", "a.jp2", "gpkg", "a.gpkg.tif"])
def test_other_files_are_not(name: str):
    assert not is_vector(Path("absent", name))


def test_a_stac_item_is_no_vector_file(tmp_path: Path):
    item, features = tmp_path / "item.json", tmp_path / "features.json"
    item.write_text('{"type": "Feature", "stac_version": "1.1.0", "id": "a"}')
    features.write_text('{"type": "FeatureCollection", "features": []}')
    assert not is_vector(item) and is_vector(features)
