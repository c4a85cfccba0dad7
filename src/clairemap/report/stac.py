"""The STAC item of a region's map: footprint, grid, and content of its files."""

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pystac
from odc.geo.geobox import GeoBox
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension

from clairemap.artefacts.origin import Origin
from clairemap.artefacts.radiometry_check import RadiometryCheck
from clairemap.artefacts.scene_sources import SceneSources
from clairemap.classes import MAP_NODATA, ColoredLegend
from clairemap.grid.outline import Outline, outline_of_windows
from clairemap.grid.scale import pixel_width_m
from clairemap.grid.window import Window
from clairemap.outputs import FUSED, MapFiles
from clairemap.report.class_names import stac_names
from clairemap.report.given_model import origin_text, stac_properties
from clairemap.report.origins import origin_links, origin_properties, product_ids
from clairemap.report.sensor_words import SENSOR_WORDS
from clairemap.report.stac_model import MLM_EXTENSION, MappingModel

PROCESSING_EXTENSION = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
# STAC requires a time. Maps of scenes without dates get the widest range, which means unknown.
UNKNOWN_START = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
UNKNOWN_END = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class MapSources:
    """Sources of a map: names and acquisition dates of the scenes, model, and radiometry checks, if c.

    `ground` is the outline of the scenes' results; without it the item has the outline of the grid. `labels_product` is
    the land-cover product that the training labels come from; None: they are ground truth. `origin` is that of a model
    from another project. `origins` are the records of scenes with products or band files.
    """

    scenes: Sequence[str] = ()
    dates: Sequence[datetime.date] = ()
    model: MappingModel | None = None
    radiometry: Sequence[RadiometryCheck] = ()
    ground: Outline | None = None
    labels_product: str | None = None
    origin: Origin | None = None
    origins: Sequence[SceneSources] = ()


def map_item(
    geobox: GeoBox, legend: ColoredLegend, files: MapFiles, sources: MapSources, stamp: Mapping[str, str]
) -> str:
    """Return the item as JSON text; equal arguments give an equal text.

    The geometry is the outline of the data, split at 180 degrees (RFC 7946); it is null without a CRS. The item spans
    the first to the last day of the scenes; without dates it spans 1970 to 9999, which means unknown.

    Args:
        geobox: the map's grid.
        legend: the map's classes.
        files: the map's files; links are relative to the item.
        sources: of the map.
        stamp: what `clairemap.provenance.stamp` returns.
    """
    outline = sources.ground or _grid_outline(geobox)
    dates, classes = sources.dates, [c.to_dict() for c in _stac_classes(legend)]
    item = pystac.Item(
        id=files.name,
        geometry=None if outline is None else outline.geometry,
        bbox=None if outline is None else list(outline.bbox),
        datetime=None,
        start_datetime=_start(min(dates)) if dates else UNKNOWN_START,
        end_datetime=_end(max(dates)) if dates else UNKNOWN_END,
        properties={
            "processing:level": "L4",
            "processing:lineage": _lineage(sources),
            "processing:software": {"clairemap": stamp["clairemap_version"]},
            **(sources.model.properties(classes) if sources.model else {}),
            **_given_model(sources),
            **_radiometry(sources.radiometry),
            **origin_properties(sources.origins),
            **_accepted(sources.model),
            **_labels(sources.labels_product),
            **{key.replace("clairemap_", "clairemap:", 1): value for key, value in sorted(stamp.items())},
        },
        stac_extensions=[PROCESSING_EXTENSION],
    )
    item.add_links([pystac.Link("derived_from", link) for link in origin_links(sources.origins)])
    _add_projection(item, geobox)
    _add_assets(item, geobox, legend, files)
    if sources.model:
        item.stac_extensions.append(MLM_EXTENSION)
        item.add_asset("model", pystac.Asset.from_dict(sources.model.asset()))
    return json.dumps(item.to_dict(include_self_link=False), indent=2) + "\n"


def _grid_outline(geobox: GeoBox) -> Outline | None:
    return None if geobox.crs is None else outline_of_windows(geobox, [Window.whole(geobox.shape.yx)])


def _given_model(sources: MapSources) -> dict[str, object]:
    """Return the fields on a model from another project."""
    return stac_properties(sources.model.card, sources.origin) if sources.model and sources.origin else {}


def _radiometry(checks: Sequence[RadiometryCheck]) -> dict[str, object]:
    """Return verdict and remarks of each scene's radiometry check."""
    found = {check.scene: {"verdict": check.verdict, "remarks": check.remarks("mild", "mismatch")} for check in checks}
    return {"clairemap:radiometry": found} if found else {}


def _labels(product: str | None) -> dict[str, object]:
    """Return the origin of weak labels."""
    return {} if product is None else {"clairemap:labels": {"product": product, "ground_truth": False}}


def _accepted(model: MappingModel | None) -> dict[str, object]:
    """Return the results that were kept in spite of a change of the code."""
    kept = model.card.accepted if model else ()
    return {"clairemap:accepted": [result.model_dump(mode="json") for result in kept]} if kept else {}


def _lineage(sources: MapSources) -> str:
    scenes = f"scene(s) {', '.join(sources.scenes)}" if sources.scenes else "one or more scenes"
    sensors = SENSOR_WORDS[sources.model.card.network.sensors if sources.model else FUSED]
    product = None if sources.origin else sources.labels_product  # the text on that model has it
    weak = f" The training labels are the land-cover product {product}, not ground truth." if product else ""
    products = product_ids(sources.origins)
    read = f" Products: {', '.join(products)}." if products else ""
    return (
        f"Class probabilities of {scenes}, predicted from the {sensors} bands that each scene has, resampled to one "
        "grid; overlapping scenes averaged with weights that increase with distance from each scene's edge; then the "
        f"most probable class.{weak}{read}{_model_lineage(sources)}"
    )


def _model_lineage(sources: MapSources) -> str:
    return f" {origin_text(sources.model.card, sources.origin)}" if sources.model and sources.origin else ""


def _start(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time.min, datetime.UTC)


def _end(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(23, 59, 59), datetime.UTC)


def _add_projection(item: pystac.Item, geobox: GeoBox) -> None:
    epsg = None if geobox.crs is None else geobox.crs.to_epsg()
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=None if epsg is None else f"EPSG:{epsg}",
        wkt2=None if geobox.crs is None or epsg is not None else geobox.crs.to_wkt(),
        shape=[int(size) for size in geobox.shape],
        transform=[float(value) for value in geobox.transform[:6]],
    )


def _add_assets(item: pystac.Item, geobox: GeoBox, legend: ColoredLegend, files: MapFiles) -> None:
    for key, file, title, role, unit in (
        ("landcover", files.landcover, "Land cover", "data", None),
        ("confidence", files.confidence, "Probability of the mapped class", "confidence", "%"),
        ("optical_share", files.optical_share, "Share of the optical sensor in the result", "data", "%"),
        ("source_count", files.source_count, "Number of scenes with a result", "data", None),
    ):
        asset = pystac.Asset(_beside(file), title=title, media_type=pystac.MediaType.COG, roles=[role])
        item.add_asset(key, asset)
        band = RasterBand.create(
            nodata=MAP_NODATA, data_type=DataType.UINT8, spatial_resolution=_resolution(geobox), unit=unit
        )
        RasterExtension.ext(asset, add_if_missing=True).bands = [band]
    ClassificationExtension.ext(item.assets["landcover"], add_if_missing=True).classes = _stac_classes(legend)
    for key, file, title, kind, role in (
        *((f"{k}_style", f, "Style for QGIS", "application/xml", "style") for k, f in files.styles.items()),
        ("categories", files.categories, "Category names for GDAL", pystac.MediaType.XML, "metadata"),
        ("table", files.table, "Attribute table for ArcGIS", "application/dbase", "metadata"),
    ):
        item.add_asset(key, pystac.Asset(_beside(file), title=title, media_type=kind, roles=[role]))


def _beside(file: Path) -> str:
    return f"./{file.name}"


def _resolution(geobox: GeoBox) -> float | None:
    """Return the pixel size in metres as defined by STAC; None if the CRS has another unit."""
    if geobox.crs is None or not geobox.crs.projected or "metre" not in geobox.crs.units:
        return None
    return round(pixel_width_m(geobox), 6)


def _stac_classes(legend: ColoredLegend) -> list[Classification]:
    return [
        Classification.create(
            value=c.code, name=name, description=c.name, title=c.name, color_hint=c.color.removeprefix("#").upper()
        )
        for c, name in zip(legend.classes, stac_names(legend), strict=True)
    ]
