from pathlib import Path

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.tiles import TileId
from clairemap.raster.store import Layer, complete_store, create_store, open_store
from clairemap.report.scene_inputs import SceneInput, scene_inputs

ATTRIBUTES = {
    "scene": "west", "sar_scale": "db", "registration": "good", "georeferenced": True,
    "sources": {"optical": "<a>.tif", "label": "fields.gpkg"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("crs", "pixel", "text"),
    [
        ("EPSG:32632", 10.0, "200 × 100 px of 10 m, EPSG:32632"),
        ("EPSG:4326", 0.0001, "200 × 100 px of 0.0001°, EPSG:4326"),
        (None, 1.0, "200 × 100 px, no CRS"),
    ],
)
def test_files_grid_and_tiles_of_a_scene(tmp_path: Path, crs: str | None, pixel: float, text: str):
    grid = GeoBox((100, 200), Affine(pixel, 0, 11, 0, -pixel, 48), crs)
    layers = [Layer("label", "uint8")]
    create_store(tmp_path / "part", grid, layers, tile_px=128, shard_tiles=1, attributes=ATTRIBUTES)
    complete_store(tmp_path / "part", tmp_path / "pair.zarr")
    tiles = [TileId("west", 0, column) for column in (0, 1)]
    (found,) = scene_inputs([open_store(tmp_path / "pair.zarr")], tiles, tiles[:1])
    assert found == SceneInput("west", "<a>.tif", "", "fields.gpkg", "", text, 2, 1)
