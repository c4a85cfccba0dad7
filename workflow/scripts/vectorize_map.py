"""Write a region's land-cover map as polygons."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.delivery.areas import PixelAreas
from clairemap.delivery.geopackage import write_polygons
from clairemap.delivery.maps import opened_map
from clairemap.delivery.polygons import Polygons, map_polygons
from clairemap.outputs import MapFiles
from clairemap.report.style import polygon_style
from clairemap.stages import VectorizeMap

log = logging.getLogger("clairemap.vectorize_map")


def vectorize_map(
    *,
    maps: Annotated[Path, typer.Option(help="prefix of the map files: results/alps/alps for alps.landcover.gpkg")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.VectorizeMap)")],
) -> None:
    """Write the GeoPackage, complete or not at all.

    Raises:
        StoreError: a map is damaged.
        DiskFullError: no space is left.
    """
    legend, files = VectorizeMap.from_json(settings).legend, MapFiles(maps)
    with opened_map(files) as layers:
        areas = PixelAreas.of(layers.geobox)
        counted = _Counted(map_polygons(layers, areas))
        number = write_polygons(
            files.polygons, iter(counted), layers.geobox, legend, polygon_style(legend), has_areas=areas.known
        )
    log.info("%s: %d polygons, of which %d are pieces of cut patches", files.polygons, number, counted.cut)


class _Counted:
    """Polygons, with a count of those that are cut."""

    def __init__(self, parts: Iterator[Polygons]) -> None:
        self._parts = parts
        self.cut = 0

    def __iter__(self) -> Iterator[Polygons]:
        for part in self._parts:
            self.cut += int(part.is_cut.sum())
            yield part


if __name__ == "__main__":
    run(vectorize_map)
