"""Checks of vector labels before and after they are burnt."""

from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX, SourceLegend, counts_text
from clairemap.errors import GridError, LabelError, NoOverlapError
from clairemap.grid.earth import crs_name, crs_of
from clairemap.labels.burn import Burner, BurnTally
from clairemap.labels.features import Layer
from clairemap.labels.field_values import UNMAPPED_INDEX, FieldClasses
from clairemap.settings import PolygonSettings


def burner_of(layer: Layer, grid: GeoBox, legend: SourceLegend, settings: PolygonSettings, threads: int = 1) -> Burner:
    """Return the burner of a layer for some settings.

    Raises:
        GridError: the grid has no CRS.
        LabelError: the settings name no column, one that does not exist, or a class that is not in the legend.
    """
    if grid.crs is None:
        raise GridError(
            f"{layer.text}: cannot be placed on the scene, which has no CRS; assign one to its raster "
            "(gdal_edit.py -a_srs EPSG:...)"
        )
    classes = FieldClasses(legend, settings.ignore)
    if settings.polygon_class is not None:
        return Burner(grid, layer, None, classes, _index_of(legend, settings.polygon_class), threads)
    if settings.field is None:
        raise LabelError(
            f"{layer.text}: set labels.field to the column with the codes or names of the classes (columns: "
            f"{layer.columns_text}), or labels.polygon_class to the class of all its polygons"
        )
    layer.check_column(settings.field)
    return Burner(grid, layer, settings.field, classes, threads=threads)


def _index_of(legend: SourceLegend, polygon_class: int | str) -> int:
    """Return the index of the class with a code or name in the map."""
    for index, land_cover in enumerate(legend.classes):
        if polygon_class in (land_cover.code, land_cover.name):
            return index
    known = ", ".join(f"{c.code} {c.name}" for c in legend.classes)
    raise LabelError(f"labels.polygon_class is {polygon_class!r}, which is not in legend.classes ({known}); correct it")


def check_tally(burner: Burner, tally: BurnTally) -> None:
    """Check what was burnt.

    Raises:
        NoOverlapError: no feature touches the grid.
        LabelError: values belong to no class (the message lists all of them with their features and pixels), or the
            features are not polygons.
    """
    layer = burner.layer
    if not tally.on_grid and not tally.not_polygons and not tally.unusable:
        raise NoOverlapError(_no_overlap_text(burner))
    unmapped = {
        f"{value!r} of {counts[0]:,} feature(s)": int(counts[1])
        for value, counts in tally.values.items()
        if burner.classes.index(value) == UNMAPPED_INDEX
    }
    if unmapped:
        raise LabelError(
            f"{layer.text}: values of the column {burner.column!r} belong to no class: [{counts_text(unmapped)}]. Add "
            "each value to `from` of a class in legend.classes, or to labels.ignore or legend.ignore if it means "
            "'not labelled'"
        )
    if not tally.on_grid:
        raise LabelError(
            f"{layer.text}: has no usable polygons on the scene ({tally.not_polygons:,} points, lines or others, "
            f"{tally.unusable:,} geometries that cannot be used); labels must be polygons"
        )


def _no_overlap_text(burner: Burner) -> str:
    layer, grid = burner.layer, burner.grid
    extent = "unknown" if layer.extent is None else _box_text(layer.extent)
    return (
        f"{layer.text}: none of its {layer.features:,} features touches the scene. The layer covers {extent} in "
        f"{crs_name(layer.crs)}, the scene {_box_text(tuple(grid.boundingbox))} in {crs_name(crs_of(grid))}; check "
        "that the file belongs to this scene and that its CRS is right (ogr2ogr -a_srs)"
    )


def _box_text(box: tuple[float, ...]) -> str:
    return f"({box[0]:.10g}, {box[1]:.10g}) to ({box[2]:.10g}, {box[3]:.10g})"


def has_class(index: int) -> bool:
    """Return whether an index is that of a class."""
    return index not in (IGNORE_INDEX, UNMAPPED_INDEX)
