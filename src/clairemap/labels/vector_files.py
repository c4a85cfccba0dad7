"""Opening a layer of a vector file: GeoPackage, GeoJSON, Shapefile, FlatGeobuf and others by OGR, GeoParquet."""

import json
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
from odc.geo.crs import CRS
from pyogrio.errors import DataLayerError, DataSourceError

from clairemap.errors import GridError, LabelError, MissingFileError, UnreadableFileError
from clairemap.grid.earth import crs_name, crs_problem, without_height
from clairemap.labels.features import FEATURES_AT_ONCE, Box, Layer
from clairemap.raster.remote_names import address, is_remote
from clairemap.raster.unsupported import check_exists, quoted_reason, written_name
from clairemap.raster.vector_cells import PARQUET

POLYGON_TYPES = ("Polygon", "Surface", "Unknown", "GeometryCollection")
"""Words in the geometry types of layers that may contain polygons."""


def open_layer(path: Path, layer: str | None = None) -> Layer:
    """Return a layer of a vector file; by default its only layer that may contain polygons.

    Raises:
        MissingFileError: the file does not exist.
        UnreadableFileError: it is damaged, or not a vector file.
        LabelError: the layer does not exist, contains no polygons, or must be chosen.
        GridError: the layer has no CRS, or one that is not of the Earth.
    """
    if is_remote(name := written_name(path)) or "://" in name:
        raise MissingFileError(f"{address(name)}: polygons on servers are not read; download the file (docs/labels.md)")
    check_exists(path)
    if path.suffix.lower() in PARQUET:
        return _parquet_layer(path, layer)
    try:
        kinds = {str(name): kind and str(kind) for name, kind in pyogrio.list_layers(path)}
        name = _chosen(path, kinds, layer)
        info = pyogrio.read_info(path, layer=name, force_feature_count=True)
    except (DataSourceError, DataLayerError) as error:
        raise _unreadable(path, error) from None
    bounds = info["total_bounds"]
    return Layer(
        path=path,
        name=name,
        crs=_crs(path, name, info["crs"]),
        columns={str(n): str(t).removeprefix("OFT") for n, t in zip(info["fields"], info["ogr_types"], strict=True)},
        features=int(info["features"]),
        extent=None if bounds is None else (float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3])),
        read_tables=partial(_ogr_tables, path, name),
    )


def _chosen(path: Path, kinds: dict[str, str | None], layer: str | None) -> str:
    """Return the name of the layer to read."""
    shown = ", ".join(f"{name} ({kind or 'no geometry'})" for name, kind in kinds.items()) or "none"
    if layer is not None and layer not in kinds:
        raise LabelError(f"{path}: has no layer {layer!r}; set labels.layer to one of its layers: {shown}")
    wanted = kinds if layer is None else {layer: kinds[layer]}
    found = [name for name, kind in wanted.items() if kind and any(word in kind for word in POLYGON_TYPES)]
    if not found:
        raise LabelError(f"{path}: has no layer with polygons (layers: {shown}); only polygons can be labels")
    if len(found) > 1:
        raise LabelError(f"{path}: has {len(found)} layers with polygons; set labels.layer to one of: {shown}")
    return found[0]


def _crs(path: Path, name: str, given: object) -> CRS:
    text = shlex.quote(str(path))
    remedy = f"assign its CRS: ogr2ogr -a_srs EPSG:... labels.gpkg {text}"
    if not given:
        hint = " (a shapefile needs its .prj file)" if path.suffix.lower() == ".shp" else ""
        raise GridError(f"{path}, layer {name!r}: has no CRS{hint}; {remedy}")
    try:
        crs = without_height(CRS(given))
    except pyproj.exceptions.CRSError as error:
        raise GridError(f"{path}, layer {name!r}: CRS cannot be read ({error}); {remedy}") from None
    if (problem := crs_problem(crs)) is not None:
        raise GridError(f"{path}, layer {name!r}: CRS {crs_name(crs)} {problem}; {remedy}")
    return crs


def _ogr_tables(path: Path, layer: str, box: Box | None, columns: list[str]) -> Iterator[pa.Table]:
    try:
        with pyogrio.raw.open_arrow(
            path, layer=layer, columns=columns, bbox=box, batch_size=FEATURES_AT_ONCE, use_pyarrow=True
        ) as (description, reader):
            geometry = description["geometry_name"] or "wkb_geometry"
            for batch in reader:
                yield pa.Table.from_batches([batch]).select([*columns, geometry])
    except (DataSourceError, DataLayerError, pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _parquet_layer(path: Path, layer: str | None) -> Layer:
    try:
        with pq.ParquetFile(path) as file:
            schema, rows, geo = (
                file.schema_arrow,
                file.metadata.num_rows,
                (file.schema_arrow.metadata or {}).get(b"geo"),
            )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None
    if layer not in (None, path.stem):
        raise LabelError(f"{path}: has no layer {layer!r}; a Parquet file has one layer: set labels.layer to null")
    if geo is None:
        raise LabelError(f"{path}: a Parquet file without geometries (metadata `geo` of GeoParquet); use GeoParquet")
    geometry, described = _geometry_column(path, geo)
    return Layer(
        path=path,
        name=path.stem,
        crs=_crs(path, path.stem, _parquet_crs(described)),
        columns={field.name: str(field.type) for field in schema if field.name != geometry},
        features=rows,
        extent=None,
        read_tables=partial(_parquet_tables, path, geometry),
    )


def _geometry_column(path: Path, geo: bytes) -> tuple[str, dict[str, Any]]:
    try:
        document = json.loads(geo)
        name = document["primary_column"]
        described: dict[str, Any] = document["columns"][name]
    except (ValueError, KeyError, TypeError) as error:
        raise LabelError(
            f"{path}: the metadata `geo` are not those of GeoParquet ({error!r}); write it again"
        ) from None
    if described.get("encoding") != "WKB":
        raise LabelError(
            f"{path}: geometries are encoded as {described.get('encoding')}; write the file with WKB, for example "
            "with geopandas (geometry_encoding='WKB')"
        )
    return str(name), described


def _parquet_crs(described: dict[str, Any]) -> object:
    """Return the CRS of a geometry column: longitude and latitude if it is not stated, as GeoParquet defines."""
    given = described.get("crs", "OGC:CRS84")
    return pyproj.CRS.from_json_dict(given).to_wkt() if isinstance(given, dict) else given


def _parquet_tables(path: Path, geometry: str, _box: Box | None, columns: list[str]) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(FEATURES_AT_ONCE, columns=[*columns, geometry]):
                yield pa.Table.from_batches([batch]).select([*columns, geometry])
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path}: cannot be read as a vector file ({quoted_reason(error)}); provide it again, or convert it to "
        "GeoPackage: ogr2ogr labels.gpkg FILE"
    )
