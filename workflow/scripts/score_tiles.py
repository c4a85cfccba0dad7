"""Count, for each labelled tile of a scene, what the map says against what the labels say."""

import logging
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.classes import IGNORE_INDEX
from clairemap.console import progress, run
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.inference.probabilities import PROBABILITY, open_probabilities
from clairemap.metrics.tally import TileTally, tally, write_tallies
from clairemap.provenance import stamp
from clairemap.raster.store import GridStore, check_store
from clairemap.stages import ScoreTiles
from clairemap.tiles.index import read_tile_index, tile_rows
from clairemap.validity import Flags, Mask, optical_usable, sar_usable

log = logging.getLogger("clairemap.score_tiles")


def score_tiles(
    pair: Annotated[Path, typer.Option(help="the scene's store with its labels")],
    probabilities: Annotated[Path, typer.Option(help="class probabilities of one view of the scene")],
    tiles: Annotated[Path, typer.Option(help="table of the scene's tiles")],
    scores: Annotated[Path, typer.Option(help="table to write, one row for each labelled tile")],
    settings: Annotated[str, typer.Option(help="settings of this stage, JSON")],
) -> None:
    """Write one confusion matrix and the calibration counts for each tile that has labels.

    Both stand there twice: of all its pixels, and of those that both sensors see.

    All tiles are looked through: the index counts labels only where a sensor sees the ground, the scores tell how
    many lie elsewhere too. One tile's labels and probabilities are in memory at a time.

    Raises:
        StoreError: the stores don't fit each other or the legend.
    """
    legend = ScoreTiles.from_json(settings).legend.legend()
    started = time.monotonic()
    labels = check_store(pair, pair.with_suffix(".json"))
    mapped = open_probabilities(probabilities, legend)
    _check_fit(labels, mapped)
    index = read_tile_index(tiles)
    counted = []
    for tile in progress(tile_rows(index), "score tiles", total=len(index)):
        window = Window(tile.y0, tile.x0, tile.height, tile.width)
        truth = labels.read("label", window)
        if (truth != IGNORE_INDEX).any():
            probability = mapped.read(PROBABILITY, window)
            seen = _seen_by_both(labels.read("validity", window))
            both = tally(np.where(seen, truth, np.uint8(IGNORE_INDEX)), probability)
            counted.append(TileTally(tile.scene, tile.row, tile.col, tally(truth, probability), both))
    write_tallies(scores, counted, stamp("score_tiles", settings))
    log.info("%s: %d labelled tiles scored in %.1f s", probabilities, len(counted), time.monotonic() - started)


def _seen_by_both(flags: Flags) -> Mask:
    return optical_usable(flags) & sar_usable(flags)


def _check_fit(labels: GridStore, mapped: GridStore) -> None:
    if labels.shape != mapped.shape:
        raise StoreError(
            f"{mapped.path}: grid {mapped.shape} differs from {labels.path}'s {labels.shape}; delete both, run again"
        )


if __name__ == "__main__":
    run(score_tiles)
