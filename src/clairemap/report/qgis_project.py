"""The QGIS project of a region: its maps, polygons and sample with their styles, by relative paths."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5
from xml.etree import ElementTree

from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from clairemap.classes import ColoredLegend
from clairemap.errors import UnreadableFileError
from clairemap.outputs import MapFiles
from clairemap.provenance import STAMP_PREFIX
from clairemap.raster.opening import open_raster
from clairemap.report.style import (
    DOCTYPE,
    MIN_QGIS_VERSION,
    confidence_style,
    optical_share_style,
    polygon_style,
    qgis_style,
    sample_style,
    source_count_style,
)

Element = ElementTree.Element
POLYGON_TABLE, SAMPLE_TABLE = "landcover", "sample"
"""Tables of the GeoPackages."""


@dataclass(frozen=True)
class _Layer:
    """A layer. `table` is its table in a GeoPackage; empty for rasters."""

    key: str
    name: str
    file: Path
    style: str
    is_shown: bool = False
    table: str = ""

    @property
    def id(self) -> str:
        """Unique name. QGIS replaces short ones."""
        return f"{self.key}_{uuid5(NAMESPACE_URL, self.source)}".replace("-", "_")

    @property
    def provider(self) -> str:
        """GDAL's driver of rasters, or of vector files."""
        return "ogr" if self.table else "gdal"

    @property
    def source(self) -> str:
        """The file beside the project."""
        return f"./{self.file.name}" + (f"|layername={self.table}" if self.table else "")


def qgis_project(
    title: str,
    maps: Sequence[MapFiles],
    legend: ColoredLegend,
    stamp: Mapping[str, str],
    polygons: Collection[Path] = (),
    sample: Path | None = None,
) -> str:
    """Return the text of the project, in the CRS of the first map; each map's land cover is shown, the rest is hidden.

    Args:
        title: title of the project.
        maps: files of the region's maps, in the folder of the project.
        legend: the classes.
        stamp: version, commit and settings; properties of the project in the group `clairemap`.
        polygons: polygons of maps.
        sample: GeoPackage of the sample, in that folder.

    Raises:
        UnreadableFileError: a map is missing or damaged.
    """
    root = Element("qgis", version=MIN_QGIS_VERSION, projectname=title)
    _child(root, "title", title)
    tree, canvas = _child(root, "layer-tree-group"), _child(root, "mapcanvas", name="theMapCanvas")
    layers = _child(root, "projectlayers")
    _properties(root, stamp)
    grids = [_grid(files.landcover) for files in maps]
    if sample is not None and grids:
        points = _Layer("sample", "Sample", sample, sample_style(legend), table=SAMPLE_TABLE)
        _add(points, grids[0].crs, tree, layers)
    for files, grid in zip(maps, grids, strict=True):
        is_first = str(int(files is maps[0]))
        group = _child(tree, "layer-tree-group", name=files.name, checked="Qt::Checked", expanded=is_first)
        for layer in _layers(files, legend, files.polygons in polygons):
            _add(layer, grid.crs, group, layers)
    if grids:
        _view(canvas, grids[0])
        _add_crs(_child(root, "projectCrs"), grids[0].crs)
    ElementTree.indent(root)
    return DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"


def _layers(files: MapFiles, legend: ColoredLegend, with_polygons: bool) -> list[_Layer]:
    """Return the layers of a map, the top one first."""
    polygons = _Layer("polygons", "Polygons", files.polygons, polygon_style(legend), table=POLYGON_TABLE)
    return [
        *([polygons] if with_polygons else []),
        _Layer("landcover", "Land cover", files.landcover, qgis_style(legend), is_shown=True),
        _Layer("confidence", "Confidence, %", files.confidence, confidence_style()),
        _Layer("optical_share", "Optical share, %", files.optical_share, optical_share_style()),
        _Layer("source_count", "Source count", files.source_count, source_count_style()),
    ]


def _add(layer: _Layer, crs: CRS | None, group: Element, layers: Element) -> None:
    """Add a layer to the tree of layers and to the list of their sources and styles."""
    _child(
        group, "layer-tree-layer", id=layer.id, name=layer.name, source=layer.source, providerKey=layer.provider,
        checked="Qt::Checked" if layer.is_shown else "Qt::Unchecked", expanded=str(int(layer.is_shown)),
    )  # fmt: skip
    kind = {"type": "vector", "geometry": "Polygon"} if layer.table else {"type": "raster"}
    found = ElementTree.SubElement(layers, "maplayer", kind)
    for name, text in (("id", layer.id), ("datasource", layer.source), ("layername", layer.name)):
        _child(found, name, text)
    _add_crs(_child(found, "srs"), crs)
    _child(found, "provider", layer.provider)
    found.extend(ElementTree.fromstring(layer.style))


def _grid(path: Path) -> GeoBox:
    try:
        with open_raster(path) as raster:
            return GeoBox((raster.height, raster.width), raster.transform, raster.crs)
    except RasterioError as error:
        raise UnreadableFileError(f"{path}: cannot be read ({error}); delete it and run again") from None


def _view(canvas: Element, grid: GeoBox) -> None:
    """Set the view to a map."""
    extent = _child(canvas, "extent")
    box = grid.extent.boundingbox
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), (box.left, box.bottom, box.right, box.top), strict=True):
        _child(extent, name, repr(float(value)))
    _add_crs(_child(canvas, "destinationsrs"), grid.crs)


def _add_crs(parent: Element, crs: CRS | None) -> None:
    system = _child(parent, "spatialrefsys")
    if crs is not None:
        _child(system, "wkt", crs.proj.to_wkt())
        _child(system, "authid", ":".join(crs.proj.to_authority() or ()))


def _properties(root: Element, stamp: Mapping[str, str]) -> None:
    """Make the paths relative, so that the folder can be moved; let QGIS use the project's CRS; add the stamp."""
    properties = _child(root, "properties")
    _child(_child(properties, "Paths"), "Absolute", "false", type="bool")
    _child(_child(properties, "SpatialRefSys"), "ProjectionsEnabled", "1", type="int")
    tags = _child(properties, "clairemap")
    for name, text in stamp.items():
        _child(tags, name.removeprefix(STAMP_PREFIX), text, type="QString")


def _child(parent: Element, tag: str, text: str | None = None, **attributes: str) -> Element:
    found = ElementTree.SubElement(parent, tag, attributes)
    found.text = text
    return found
