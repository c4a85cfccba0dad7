"""Merge scenes into a map: four Cloud-Optimized GeoTIFFs, styles, tables, STAC item, model card."""

import datetime
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
import zarr

from clairemap.artefacts.acceptance import KeptResult, kept_results
from clairemap.artefacts.model_card import read_model_card, write_model_card
from clairemap.artefacts.origin import read_origin
from clairemap.artefacts.radiometry_check import read_radiometry_check
from clairemap.artefacts.scene_sources import SceneSources, read_scene_sources
from clairemap.classes import ColoredLegend
from clairemap.console import run, warn
from clairemap.grid.window_groups import far_apart, filled_share, group_windows
from clairemap.inference.grid import region_grid
from clairemap.inference.mapped_outline import mapped_outline
from clairemap.inference.mosaic import BLOCK_PX, MapBlock, mosaic
from clairemap.inference.placement import PlacedScene, place
from clairemap.inference.probabilities import PROBABILITY, kept_probabilities, open_probabilities
from clairemap.outputs import MapFiles
from clairemap.provenance import stamp, write_text_whole, written_whole
from clairemap.raster.cog import CogWriter
from clairemap.raster.histogram import VALUES, histogram
from clairemap.raster.store import GridStore
from clairemap.report.attribute_table import attribute_table
from clairemap.report.categories import categories_xml
from clairemap.report.delivered_item import delivered_item
from clairemap.report.layers import confidence_layer, landcover_layer, optical_share_layer, source_count_layer
from clairemap.report.stac import MapSources, map_item
from clairemap.report.stac_model import MappingModel
from clairemap.report.style import confidence_style, optical_share_style, qgis_style, source_count_style
from clairemap.stages import MosaicRegion
from clairemap.text import shortened

MAX_NAMED = 4
"""Maximum number of groups, and of scenes per group, that a warning lists."""


def mosaic_region(
    *,
    maps: Annotated[Path, typer.Option(help="prefix of all files to write: results/alps/alps for alps.landcover.tif")],
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene (repeat the option)")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.MosaicRegion)")],
    dates: Annotated[
        list[str] | None, typer.Option(help="acquisition date of a scene, as 2026-11-22 (repeat the option)")
    ] = None,
    sources: Annotated[list[Path] | None, typer.Option(help="sources.json of each scene that has one (repeat)")] = None,
    undated: Annotated[
        list[str] | None, typer.Option(help="scene/role whose date is that of its metadata, as west/optical (repeat)")
    ] = None,
    card: Annotated[Path | None, typer.Option(help="model.json; a copy is written next to the maps")] = None,
    radiometry: Annotated[list[Path] | None, typer.Option(help="radiometry_check.json of each scene (repeat)")] = None,
    accepted: Annotated[list[Path] | None, typer.Option(help="accepted/{stage}.json of each stage (repeat)")] = None,
    origin: Annotated[Path | None, typer.Option(help="origin.json of a model from another project")] = None,
    threads: Annotated[int, typer.Option(help="number of blocks computed in parallel, and of threads", min=1)] = 1,
) -> None:
    """Write the four maps, each complete and checked or not at all, then their styles, tables and STAC item."""
    # Blocks are computed in parallel; more threads per block would keep more chunks in memory.
    zarr.config.set({"threading.max_workers": threads, "async.concurrency": threads})
    chosen = MosaicRegion.from_json(settings)
    legend = chosen.legend
    made_by = stamp("mosaic_region", settings)
    files = MapFiles(maps)
    stores = [open_probabilities(path, legend) for path in probabilities]
    grid = region_grid({store.scene: store.geobox for store in stores}, chosen.mosaic)
    scenes = place(stores, grid)
    _warn_if_far_apart(files.name, scenes, (int(grid.shape[0]), int(grid.shape[1])))
    targets = {
        files.landcover: landcover_layer(legend, made_by),
        files.confidence: confidence_layer(made_by),
        files.optical_share: optical_share_layer(made_by),
        files.source_count: source_count_layer(made_by),
    }
    with ExitStack() as stack:
        writers = [
            stack.enter_context(CogWriter(target, grid, layer, chosen.mosaic.compress, threads))
            for target, layer in targets.items()
        ]
        dissolves = chosen.deliver.min_area_ha is not None
        store = stack.enter_context(
            kept_probabilities(files.probabilities, grid, legend, files.name, shard_px=BLOCK_PX, stamp=made_by)
            if dissolves
            else nullcontext()
        )
        blocks = mosaic(scenes, grid, legend.codes, threads, keep_probability=dissolves)
        pixels = _write_maps(blocks, writers, store, legend.codes.tolist())
    write_text_whole(files.categories, categories_xml(legend, pixels))
    with written_whole(files.table) as temporary:
        temporary.write_bytes(attribute_table(legend, pixels))
    write_text_whole(files.encoding, "UTF-8")
    for path, text in zip(files.styles.values(), _styles(legend), strict=True):
        write_text_whole(path, text)
    kept = kept_results(accepted or (), [store.scene for store in stores])
    origins = [read_scene_sources(path) for path in sources or ()]
    given = None if origin is None else read_origin(origin)
    found = MapSources(
        [store.scene for store in stores],
        [*map(datetime.date.fromisoformat, dates or ()), *_dates_of(origins, undated or ())],
        None if card is None else _copied_card(card, files.model, legend, kept),
        [read_radiometry_check(path) for path in radiometry or ()],
        mapped_outline(stores),
        chosen.labels.product if given is None else given.labels_product,
        given,
        origins,
    )
    item = map_item(grid, legend, files, found, made_by)
    has_polygons = chosen.deliver.vector and not dissolves
    write_text_whole(files.item, delivered_item(item, files, has_polygons=has_polygons))


def _dates_of(origins: Sequence[SceneSources], undated: Sequence[str]) -> Iterator[datetime.date]:
    """Yield the days that the metadata state for roles without a date in the sheet."""
    for record in origins:
        for role, resolved in record.roles.items():
            if f"{record.scene}/{role}" in undated and resolved.facts.acquired is not None:
                yield resolved.facts.acquired


def _warn_if_far_apart(name: str, scenes: Sequence[PlacedScene], shape: tuple[int, int]) -> None:
    """Warn if the scenes are so far apart that most of the map is empty."""
    groups = group_windows([scene.footprint.clipped(shape) for scene in scenes])
    if not far_apart(groups, shape):
        return
    names = [[scenes[index].store.scene for index in group.members] for group in groups]
    listed = shortened([shortened(group, MAX_NAMED) for group in names], MAX_NAMED, "; ")
    warn(
        f"map {name}: the scenes form {len(groups)} groups that are far apart ({listed}) and cover only "
        f"{100 * filled_share(groups, shape):.2g} % of its {shape[1]} x {shape[0]} px (width x height); "
        "give each group its own region (column region of the sample sheet), so that it gets its own map and report"
    )


def _styles(legend: ColoredLegend) -> tuple[str, ...]:
    return qgis_style(legend), confidence_style(), optical_share_style(), source_count_style()


def _copied_card(card: Path, copy: Path, legend: ColoredLegend, kept: tuple[KeptResult, ...]) -> MappingModel:
    """Copy the card to the maps' folder, so that the folder is self-contained, and return its model.

    The copy has the legend's names, also of classes that were renamed after the training, and lists accepted results.
    The training's own card remains as it is: later stages depend on it.
    """
    model = read_model_card(card)
    delivered = model.named(legend).model_copy(update={"accepted": kept})
    if delivered != model:
        write_model_card(copy, delivered)
    else:
        with written_whole(copy) as temporary:
            shutil.copyfile(card, temporary)
    return MappingModel(delivered, copy.name)


def _write_maps(
    blocks: Iterator[MapBlock], writers: list[CogWriter], store: GridStore | None, codes: Sequence[int]
) -> dict[int, int]:
    """Write all blocks, with probabilities if there is a store; return the number of pixels of each class code."""
    counts = np.zeros(VALUES, np.int64)
    for block in blocks:
        layers = block.landcover, block.confidence, block.optical_share, block.source_count
        for writer, values in zip(writers, layers, strict=True):
            writer.write(block.window, values)
        if store is not None and block.probability is not None:
            store.write(PROBABILITY, block.window, block.probability)
        counts += histogram(block.landcover)
    return {code: int(counts[code]) for code in codes}


if __name__ == "__main__":
    run(mosaic_region)
