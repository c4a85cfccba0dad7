"""Put scenes together to a region's map: three Cloud-Optimized GeoTIFFs, style, categories and STAC item."""

import datetime
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from clairemap.console import run
from clairemap.inference.grid import region_grid
from clairemap.inference.mosaic import MapBlock, mosaic
from clairemap.inference.placement import place
from clairemap.inference.probabilities import open_probabilities
from clairemap.provenance import stamp, write_text_whole
from clairemap.raster.cog import CogWriter
from clairemap.report.categories import categories_xml
from clairemap.report.layers import confidence_layer, landcover_layer, optical_share_layer
from clairemap.report.stac import MapFiles, map_item
from clairemap.report.style import qgis_style
from clairemap.stages import MosaicRegion


def mosaic_region(
    *,
    name: Annotated[str, typer.Option(help="name of the map")],
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene (repeat the option)")],
    landcover: Annotated[Path, typer.Option(help="map of class codes to write")],
    confidence: Annotated[Path, typer.Option(help="map of confidence in percent to write")],
    optical_share: Annotated[Path, typer.Option(help="map of the optical sensor's share in percent to write")],
    categories: Annotated[Path, typer.Option(help="category names (.aux.xml) to write")],
    style: Annotated[Path, typer.Option(help="QGIS style to write")],
    item: Annotated[Path, typer.Option(help="STAC item to write")],
    settings: Annotated[str, typer.Option(help="JSON of MosaicRegion")],
    dates: Annotated[list[str] | None, typer.Option(help="a scene's day as 2026-11-22 (repeat the option)")] = None,
    threads: Annotated[int, typer.Option(help="blocks made side by side, and threads that compress", min=1)] = 1,
) -> None:
    """Write the maps, each checked and whole or not at all, then the files that describe them."""
    chosen = MosaicRegion.model_validate_json(settings)
    legend = chosen.legend.legend()
    made_by = stamp("mosaic_region", settings)
    stores = [open_probabilities(path, legend) for path in probabilities]
    grid = region_grid({str(store.attributes["scene"]): store.geobox for store in stores}, chosen.mosaic)
    targets = {
        landcover: landcover_layer(legend, made_by),
        confidence: confidence_layer(made_by),
        optical_share: optical_share_layer(made_by),
    }
    with ExitStack() as stack:
        writers = [
            stack.enter_context(CogWriter(target, grid, layer, chosen.mosaic.compress, threads))
            for target, layer in targets.items()
        ]
        pixels = _write_maps(mosaic(place(stores, grid), grid, legend.codes, threads), writers)
    write_text_whole(categories, categories_xml(legend, pixels))
    write_text_whole(style, qgis_style(legend))
    files = MapFiles(landcover.name, confidence.name, optical_share.name, categories.name, style.name)
    days = [datetime.date.fromisoformat(day) for day in dates or ()]
    write_text_whole(item, map_item(name, grid, legend, files, days, made_by))


def _write_maps(blocks: Iterator[MapBlock], writers: list[CogWriter]) -> dict[int, int]:
    """Write all blocks and return how many pixels each class code has."""
    torch.set_num_threads(1)  # blocks are made side by side already
    counts = np.zeros(256, np.int64)
    for block in blocks:
        for writer, values in zip(writers, (block.landcover, block.confidence, block.optical_share), strict=True):
            writer.write(block.window, values)
        counts += np.bincount(block.landcover.ravel(), minlength=256)
    return dict(enumerate(counts.tolist()))


if __name__ == "__main__":
    run(mosaic_region)
