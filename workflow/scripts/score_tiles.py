"""Compare the map of a scene with its labels, tile by tile."""

import logging
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.artefacts.tiles import read_tile_index, tile_rows
from clairemap.classes import IGNORE_INDEX
from clairemap.console import progress, run
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.inference.probabilities import PROBABILITY, open_probabilities
from clairemap.metrics.finer_counts import finer_counts
from clairemap.metrics.tally import TileTally, tally, write_tallies
from clairemap.provenance import stamp
from clairemap.raster.store import GridStore, check_store
from clairemap.stages import ScoreTiles
from clairemap.validity import Flags, Mask, optical_usable, sar_usable

log = logging.getLogger("clairemap.score_tiles")


def score_tiles(
    pair: Annotated[Path, typer.Option(help="pair.zarr of the scene")],
    probabilities: Annotated[Path, typer.Option(help="probabilities.zarr of a view of the scene")],
    tiles: Annotated[Path, typer.Option(help="tiles.parquet of the scene")],
    scores: Annotated[Path, typer.Option(help="scores.parquet to write: one row per labelled tile")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON")],
) -> None:
    """Write a confusion matrix, calibration counts, boundary counts and entropy of each labelled tile.

    The first two are also written for pixels usable in both sensors. All tiles are read, because the tile
    index counts only labels of pixels with a usable sensor. Memory: labels and probabilities of one tile.

    Raises:
        StoreError: the stores have different grids, or another legend.
    """
    chosen = ScoreTiles.from_json(settings)
    legend, tolerance_px = chosen.legend, chosen.metrics.boundary_tolerance_px
    started = time.monotonic()
    labels = check_store(pair)
    mapped = open_probabilities(probabilities, legend)
    _check_fit(labels, mapped)
    index = read_tile_index(tiles)
    counted = []
    for tile in progress(tile_rows(index), "score tiles", total=len(index)):
        window = Window(tile.y0, tile.x0, tile.height, tile.width)
        truth = labels.read("label", window)
        if (truth != IGNORE_INDEX).any():
            probability = mapped.read(PROBABILITY, window)
            usable = _usable_in_both(labels.read("validity", window))
            both = tally(np.where(usable, truth, np.uint8(IGNORE_INDEX)), probability)
            finer = finer_counts(truth, probability, tolerance_px)
            counted.append(TileTally(tile.id, tally(truth, probability), both, finer))
    write_tallies(scores, counted, stamp("score_tiles", settings))
    log.info("%s: %d labelled tiles scored in %.1f s", probabilities, len(counted), time.monotonic() - started)


def _usable_in_both(flags: Flags) -> Mask:
    return optical_usable(flags) & sar_usable(flags)


def _check_fit(labels: GridStore, mapped: GridStore) -> None:
    if labels.shape != mapped.shape:
        raise StoreError(
            f"{mapped.path}: size {mapped.shape} differs from {labels.path}: {labels.shape}; delete both, run again"
        )


if __name__ == "__main__":
    run(score_tiles)
