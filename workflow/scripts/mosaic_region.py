"""Put scenes together to a region's map: four Cloud-Optimized GeoTIFFs, styles, categories, STAC item, model card."""

import datetime
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import zarr

from clairemap.artefacts.radiometry_check import read_radiometry_check
from clairemap.classes import Legend
from clairemap.console import run, warn
from clairemap.grid.parts import far_apart, filled_share, parts_of
from clairemap.inference.grid import region_grid
from clairemap.inference.mosaic import MapBlock, mosaic
from clairemap.inference.placement import PlacedScene, place
from clairemap.inference.probabilities import open_probabilities
from clairemap.inference.valid_ground import mapped_outline
from clairemap.provenance import stamp, write_text_whole, written_whole
from clairemap.raster.cog import CogWriter
from clairemap.report.attribute_table import attribute_table
from clairemap.report.categories import categories_xml
from clairemap.report.layers import confidence_layer, landcover_layer, optical_share_layer, source_count_layer
from clairemap.report.model_facts import MappingModel
from clairemap.report.stac import MapFiles, MapSources, map_item
from clairemap.report.style import confidence_style, optical_share_style, qgis_style, source_count_style
from clairemap.stages import MosaicRegion

MOST_NAMED = 4
"""Scenes of a group, and groups, that a warning names."""


def mosaic_region(
    *,
    name: Annotated[str, typer.Option(help="name of the map")],
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene (repeat the option)")],
    landcover: Annotated[Path, typer.Option(help="map of class codes to write")],
    confidence: Annotated[Path, typer.Option(help="map of confidence in percent to write")],
    optical_share: Annotated[Path, typer.Option(help="map of the optical sensor's share in percent to write")],
    source_count: Annotated[Path, typer.Option(help="map of how many scenes a pixel rests on to write")],
    categories: Annotated[Path, typer.Option(help="category names (.aux.xml) to write")],
    table: Annotated[Path, typer.Option(help="attribute table (.vat.dbf) to write; its .cpg lies beside it")],
    style: Annotated[
        list[Path], typer.Option(help="QGIS style of each map, in the order of the maps above, to write (repeat)")
    ],
    item: Annotated[Path, typer.Option(help="STAC item to write")],
    settings: Annotated[str, typer.Option(help="JSON of MosaicRegion")],
    dates: Annotated[list[str] | None, typer.Option(help="a scene's day as 2026-11-22 (repeat the option)")] = None,
    card: Annotated[Path | None, typer.Option(help="model.json of the model behind the probabilities")] = None,
    model: Annotated[Path | None, typer.Option(help="copy of the card to write beside the item")] = None,
    radiometry: Annotated[list[Path] | None, typer.Option(help="radiometry_check.json of each scene")] = None,
    threads: Annotated[int, typer.Option(help="blocks made side by side, and threads that compress", min=1)] = 1,
) -> None:
    """Write the maps, each checked and whole or not at all, then the files that describe them."""
    # Blocks are made side by side already; more threads in each of them would hold more chunks in memory.
    zarr.config.set({"threading.max_workers": threads, "async.concurrency": threads})
    chosen = MosaicRegion.from_json(settings)
    legend = chosen.legend.legend()
    made_by = stamp("mosaic_region", settings)
    stores = [open_probabilities(path, legend) for path in probabilities]
    grid = region_grid({store.scene: store.geobox for store in stores}, chosen.mosaic)
    scenes = place(stores, grid)
    _advise(name, scenes, (int(grid.shape[0]), int(grid.shape[1])))
    targets = {
        landcover: landcover_layer(legend, made_by),
        confidence: confidence_layer(made_by),
        optical_share: optical_share_layer(made_by),
        source_count: source_count_layer(made_by),
    }
    with ExitStack() as stack:
        writers = [
            stack.enter_context(CogWriter(target, grid, layer, chosen.mosaic.compress, threads))
            for target, layer in targets.items()
        ]
        pixels = _write_maps(mosaic(scenes, grid, legend.codes, threads), writers, legend.codes.tolist())
    write_text_whole(categories, categories_xml(legend, pixels))
    with written_whole(table) as part:
        part.write_bytes(attribute_table(legend, pixels))
    write_text_whole(table.with_suffix(".cpg"), "UTF-8")
    for path, text in zip(style, _styles(legend), strict=True):
        write_text_whole(path, text)
    names = {"landcover": style[0], "confidence": style[1], "optical_share": style[2], "source_count": style[3]}
    files = MapFiles(
        landcover.name,
        confidence.name,
        optical_share.name,
        source_count.name,
        categories.name,
        table.name,
        {key: path.name for key, path in names.items()},
    )
    sources = MapSources(
        [store.scene for store in stores],
        [datetime.date.fromisoformat(day) for day in dates or ()],
        None if card is None or model is None else _delivered(card, model),
        [read_radiometry_check(path) for path in radiometry or ()],
        mapped_outline(stores),
    )
    write_text_whole(item, map_item(name, grid, legend, files, sources, made_by))


def _advise(name: str, scenes: Sequence[PlacedScene], shape: tuple[int, int]) -> None:
    """Warn if the scenes lie so far apart that most of the map is empty."""
    groups = parts_of([scene.footprint.clipped(shape) for scene in scenes])
    if not far_apart(groups, shape):
        return
    names = [[scenes[index].store.scene for index in group.members] for group in groups]
    told = "; ".join(_listed(group) for group in names[:MOST_NAMED])
    more = f"; and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    warn(
        f"map {name}: its scenes lie in {len(groups)} groups far apart ({told}{more}), so that they cover "
        f"{100 * filled_share(groups, shape):.2g} % of its {shape[1]} x {shape[0]} px (width x height); "
        "give each group a region of its own (column region of the sample sheet), so that it gets a map and a report "
        "of its own"
    )


def _listed(scenes: Sequence[str]) -> str:
    more = f" and {len(scenes) - MOST_NAMED} more" if len(scenes) > MOST_NAMED else ""
    return ", ".join(scenes[:MOST_NAMED]) + more


def _styles(legend: Legend) -> tuple[str, ...]:
    return qgis_style(legend), confidence_style(), optical_share_style(), source_count_style()


def _delivered(card: Path, copy: Path) -> MappingModel:
    """Return the model of a card and leave a copy of the card beside the maps, so that these can be handed on alone."""
    model = MappingModel.read(card, copy.name)
    with written_whole(copy) as part:
        shutil.copyfile(card, part)
    return model


def _write_maps(blocks: Iterator[MapBlock], writers: list[CogWriter], codes: Sequence[int]) -> dict[int, int]:
    """Write all blocks and return how many pixels each class code has."""
    counts = dict.fromkeys(codes, 0)
    for block in blocks:
        layers = block.landcover, block.confidence, block.optical_share, block.source_count
        for writer, values in zip(writers, layers, strict=True):
            writer.write(block.window, values)
        for code in codes:  # 5 times as fast as numpy's bincount
            counts[code] += int(np.count_nonzero(block.landcover == code))
    return counts


if __name__ == "__main__":
    run(mosaic_region)
