"""Write a region's maps with a minimum mapping unit: small patches become part of their most probable neighbour."""

import logging
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.classes import MAP_NODATA, ColoredLegend
from clairemap.console import progress, run, warn
from clairemap.delivery.dissolving import AreaUnits, Dissolver
from clairemap.delivery.maps import MapLayers, ProbableMap, opened_map
from clairemap.grid.tiles import tiles
from clairemap.inference.mosaic import percent
from clairemap.inference.probabilities import open_probabilities
from clairemap.outputs import MapFiles
from clairemap.provenance import stamp, write_text_whole, written_whole
from clairemap.raster.cog import CogWriter
from clairemap.raster.histogram import VALUES, histogram
from clairemap.report.attribute_table import attribute_table
from clairemap.report.categories import categories_xml
from clairemap.report.delivered_item import delivered_item
from clairemap.report.layers import confidence_layer, landcover_layer
from clairemap.stages import DissolvePatches

log = logging.getLogger("clairemap.dissolve_patches")

WINDOW_PX = 2048
"""Side of the windows processed at once, a multiple of the map files' blocks."""


def dissolve_patches(
    *,
    source: Annotated[Path, typer.Option(help="prefix of the files of mosaic_region: work/maps/alps/alps")],
    maps: Annotated[Path, typer.Option(help="prefix of all files to write: results/alps/alps for alps.landcover.tif")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.DissolvePatches)")],
    threads: Annotated[int, typer.Option(help="threads for compression", min=1)] = 1,
) -> None:
    """Write land cover and confidence after dissolving; copy the other files; add the minimum area to the item.

    Raises:
        GridError: the map has no CRS, so that areas are unknown.
        StoreError: a file of mosaic_region is damaged.
    """
    chosen = DissolvePatches.from_json(settings)
    legend, min_area_ha = chosen.legend, chosen.deliver.min_area_ha
    if min_area_ha is None:
        raise ValueError("dissolve_patches needs deliver.min_area_ha")
    before, files = MapFiles(source), MapFiles(maps)
    store = open_probabilities(before.probabilities, legend)
    with opened_map(before) as layers:
        areas = AreaUnits.of(layers.geobox, min_area_ha)
        if areas.is_pixel_enough:
            warn(f"{files.name}: deliver.min_area_ha {min_area_ha:g} is not more than a pixel, so nothing changes")
        dissolver = Dissolver(ProbableMap(layers, store), areas, legend.codes)
        pixels = _write_maps(dissolver, layers, files, chosen, threads, stamp("dissolve_patches", settings))
    _write_tables(files, legend, pixels)
    for copied, target in (
        (before.optical_share, files.optical_share),
        (before.source_count, files.source_count),
        (before.encoding, files.encoding),
        (before.model, files.model),
        *zip(before.styles.values(), files.styles.values(), strict=True),
    ):
        with written_whole(target) as temporary:
            shutil.copyfile(copied, temporary)
    item = before.item.read_text(encoding="utf-8")
    delivered = delivered_item(item, files, min_area_ha=min_area_ha, has_polygons=chosen.deliver.vector)
    write_text_whole(files.item, delivered)


def _write_maps(
    dissolver: Dissolver,
    layers: MapLayers,
    files: MapFiles,
    chosen: DissolvePatches,
    threads: int,
    made_by: dict[str, str],
) -> dict[int, int]:
    """Write land cover and confidence; return the number of pixels of each class code."""
    landcover = landcover_layer(chosen.legend, made_by)
    landcover = replace(landcover, tags={**landcover.tags, "min_area_ha": f"{chosen.deliver.min_area_ha:g}"})
    counts, changed = np.zeros(VALUES, np.int64), 0
    windows = [tile.window for tile in tiles(layers.shape, WINDOW_PX) if layers.is_stored(tile.window)]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(CogWriter(target, layers.geobox, layer, chosen.mosaic.compress, threads))
            for target, layer in ((files.landcover, landcover), (files.confidence, confidence_layer(made_by)))
        ]
        for window in progress(windows, "dissolve patches", len(windows)):
            codes, confidence = layers.landcover(window), layers.confidence(window)
            found = dissolver.dissolved(window)
            codes.ravel()[found.pixels] = found.codes
            confidence.ravel()[found.pixels] = percent(found.probability)
            for writer, values in zip(writers, (codes, confidence), strict=True):
                writer.write(window, values)
            counts += histogram(codes)
            changed += len(found.pixels)
    mapped = int(counts.sum() - counts[MAP_NODATA])
    log.info(
        "%s: %d of %d px have another class (%.2f %%)", files.name, changed, mapped, 100 * changed / max(mapped, 1)
    )
    return {int(code): int(counts[code]) for code in chosen.legend.codes}


def _write_tables(files: MapFiles, legend: ColoredLegend, pixels: dict[int, int]) -> None:
    write_text_whole(files.categories, categories_xml(legend, pixels))
    with written_whole(files.table) as temporary:
        temporary.write_bytes(attribute_table(legend, pixels))


if __name__ == "__main__":
    run(dissolve_patches)
