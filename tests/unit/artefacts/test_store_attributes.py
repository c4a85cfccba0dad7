from pathlib import Path

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.errors import StoreError
from clairemap.raster.store import GridStore, Layer, create_store

GRID = GeoBox((4, 4), Affine(10, 0, 5e5, 0, -10, 5e6), "EPSG:32633")
PAIR = PairAttributes(scene="a", sar_scale="db", registration="good", sources={"optical": "o.tif"}, georeferenced=True)


def store(path: Path, **attributes: object) -> GridStore:
    return create_store(path, GRID, [Layer("label", "uint8")], tile_px=4, shard_tiles=1, attributes=attributes)


def test_round_trip(tmp_path: Path):
    made = store(tmp_path / "pair.zarr", **PAIR.model_dump(mode="json"), clairemap_version="1")
    assert made.attributes_as(PairAttributes) == PAIR
    assert made.scene == "a"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"sar_scale": "linear"}, "sar_scale: .*got 'linear'"),
        ({"scene": None}, "scene"),
        ({"sources": 3}, "sources: .*3"),
    ],
)
def test_error_names_invalid_attribute(tmp_path: Path, changed: dict[str, object], expected: str):
    made = store(tmp_path / "pair.zarr", **{**PAIR.model_dump(mode="json"), **changed})
    with pytest.raises(StoreError, match=rf"pair\.zarr: attribute {expected}.*delete the store and run again"):
        made.attributes_as(PairAttributes)
