"""GeoPackage of a map's polygons, with the classes' colours as its style."""

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import ColoredLegend
from clairemap.delivery.areas import M2_PER_HA
from clairemap.delivery.polygons import Polygons
from clairemap.grid.coordinates import pixel_to_world
from clairemap.provenance import written_whole

LAYER = "landcover"
GEOMETRY = "geom"

SCHEMA = pa.schema(
    [
        pa.field(GEOMETRY, pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"}),
        pa.field("code", pa.int16()),
        pa.field("name", pa.string()),
        pa.field("area_ha", pa.float64()),
        pa.field("confidence", pa.float64()),
        pa.field("optical_share", pa.float64()),
        pa.field("cut", pa.bool_()),
    ]
)
"""Columns: class code and name; area on the ground, null without a CRS; means over the pixels in percent; whether the
polygon is a piece of a larger patch."""

STYLES_TABLE = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
    f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
    owner TEXT, ui TEXT, update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))
"""
"""The table in which QGIS keeps styles, with QGIS's names."""


def write_polygons(
    path: Path, parts: Iterator[Polygons], geobox: GeoBox, legend: ColoredLegend, style: str, *, has_areas: bool
) -> int:
    """Write polygons to a GeoPackage, which appears when it is complete; return their number.

    Args:
        path: file to write.
        parts: polygons, in pixel coordinates.
        geobox: the map's grid.
        legend: the map's classes.
        style: QGIS style (QML) of the layer.
        has_areas: whether the polygons' areas are known.
    """
    batches = _Batches(parts, geobox, legend, has_areas)
    with written_whole(path) as part, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="'crs' was not provided")
        warnings.filterwarnings("ignore", message="The filename extension")  # the file is renamed
        try:
            pyogrio.raw.write_arrow(
                pa.RecordBatchReader.from_batches(SCHEMA, iter(batches)),
                part,
                layer=LAYER,
                driver="GPKG",
                geometry_name=GEOMETRY,
                geometry_type="Polygon",
                crs=None if geobox.crs is None else geobox.crs.to_wkt(),
            )
        except Exception:
            if batches.error is not None:
                raise batches.error from None
            raise
        _add_style(part, style)
    return batches.written


class _Batches:
    """Polygons as Arrow batches. GDAL reports an error of the iterator without its class, so it is kept here."""

    def __init__(self, parts: Iterator[Polygons], geobox: GeoBox, legend: ColoredLegend, has_areas: bool) -> None:
        self._parts, self._geobox, self._has_areas = parts, geobox, has_areas
        self._names = {c.code: c.name for c in legend.classes}
        self.written = 0
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for part in self._parts:
                self.written += len(part)
                yield self._batch(part)
        except Exception as error:
            self.error = error
            raise

    def _batch(self, part: Polygons) -> pa.RecordBatch:
        columns = [
            shapely.to_wkb(_on_the_map(part.geometry, self._geobox)),
            part.codes,
            [self._names[code] for code in part.codes.tolist()],
            np.round(part.m2 / M2_PER_HA, 6) if self._has_areas else np.full(len(part), None),
            np.round(part.confidence / part.pixels, 2),
            np.round(part.optical_share / part.pixels, 2),
            part.is_cut,
        ]
        return pa.record_batch(
            [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )


def _on_the_map(geometry: NDArray[np.object_], geobox: GeoBox) -> NDArray[np.object_]:
    """Return polygons in the map's CRS, exteriors counterclockwise."""
    moved = shapely.transform(geometry, lambda xy: np.column_stack(pixel_to_world(geobox, xy[:, 1], xy[:, 0])))
    return np.asarray(shapely.orient_polygons(moved), np.object_)


def _add_style(path: Path, style: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(STYLES_TABLE)
        database.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,"
            " styleQML, useAsDefault) VALUES ('', '', ?, ?, 'classes', ?, 1)",
            (LAYER, GEOMETRY, style),
        )
        database.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES ('layer_styles', 'attributes',"
            " 'layer_styles')"
        )
