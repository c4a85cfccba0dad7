"""The GeoPackage of a map's polygons: values, style, and no file after an error."""

import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import shapely
from odc.geo.geobox import GeoBox
from tests.made_rasters import PIXELS, UTM
from tests.unit.delivery.test_dissolving import CODES, NODATA
from tests.unit.delivery.test_polygons import ArrayMap, made_map

from clairemap.classes import ColoredLegend
from clairemap.delivery.areas import PixelAreas
from clairemap.delivery.geopackage import write_polygons
from clairemap.delivery.polygons import Polygons, map_polygons
from clairemap.errors import StoreError
from clairemap.report.style import polygon_style

LEGEND = ColoredLegend.model_validate(
    {
        "classes": [
            {"code": int(code), "name": name, "color": color}
            for code, name, color in zip(
                CODES,
                ("Wälder", "water", "fields & meadows", "town"),
                ("#1f6f3a", "#3b7dd8", "#e8c95a", "#c0392b"),
                strict=True,
            )
        ]
    }
)
STYLE = polygon_style(LEGEND)


def written(path: Path, source: ArrayMap, grid: GeoBox) -> dict[str, np.ndarray]:
    areas = PixelAreas.of(grid)
    parts = map_polygons(source, areas, window_px=16)
    count = write_polygons(path, parts, grid, LEGEND, STYLE, has_areas=areas.known)
    meta, _, geometry, columns = pyogrio.raw.read(path, layer="landcover")
    assert len(geometry) == count
    return {"geometry": shapely.from_wkb(geometry), **dict(zip(meta["fields"], columns, strict=True))}


def test_polygons_cover_the_map_with_the_means_of_their_pixels(tmp_path: Path):
    source = made_map(2, (40, 50), 2)
    found = written(tmp_path / "a.gpkg", source, UTM)
    assert shapely.is_valid(found["geometry"]).all()
    assert shapely.is_ccw(shapely.get_exterior_ring(found["geometry"])).all()
    np.testing.assert_allclose(shapely.area(found["geometry"]) / 10_000, found["area_ha"])
    for c in LEGEND.classes:
        here = found["name"] == c.name
        assert (found["code"][here] == c.code).all()
        assert found["area_ha"][here].sum() == pytest.approx((source.codes == c.code).sum() / 100)
    mean = np.average(found["confidence"], weights=found["area_ha"])
    assert mean == pytest.approx(source.confidence[source.codes != NODATA].mean(), abs=0.01)
    mean = np.average(found["optical_share"], weights=found["area_ha"])
    assert mean == pytest.approx(source.optical_share[source.codes != NODATA].mean(), abs=0.01)
    assert pyogrio.read_info(tmp_path / "a.gpkg", layer="landcover")["crs"] == "EPSG:32633"


def test_qgis_finds_the_style(tmp_path: Path):
    written(tmp_path / "a.gpkg", made_map(2, (20, 20), 2), UTM)
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        table, column, style, default = database.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchone()
    assert (table, column, default) == ("landcover", "geom", 1)
    root = ElementTree.fromstring(style)
    labels = {each.get("value"): each.get("label") for each in root.iter("category")}
    assert labels == {str(c.code): c.name for c in LEGEND.classes}
    assert [each.get("v") for each in root.iter("prop") if each.get("k") == "color"][0] == "31,111,58,255"


def test_without_a_crs_areas_are_null(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = written(tmp_path / "a.gpkg", made_map(2, (20, 20), 2), PIXELS)
    assert np.isnan(found["area_ha"]).all()
    assert len(found["code"])


def test_an_empty_map_gives_an_empty_layer(tmp_path: Path):
    empty = np.full((20, 20), NODATA, np.uint8)
    assert len(written(tmp_path / "a.gpkg", ArrayMap(empty, empty, empty), UTM)["code"]) == 0


def test_an_error_leaves_no_file_and_keeps_its_class(tmp_path: Path):
    def broken() -> Iterator[Polygons]:
        yield from map_polygons(made_map(2, (20, 20), 2), PixelAreas.of(UTM), window_px=16)
        raise StoreError("confidence.tif: cannot be read")

    with pytest.raises(StoreError, match=r"confidence\.tif"):
        write_polygons(tmp_path / "a.gpkg", broken(), UTM, LEGEND, STYLE, has_areas=True)
    assert not list(tmp_path.iterdir())
