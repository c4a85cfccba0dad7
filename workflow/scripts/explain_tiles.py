"""Explain each tile of a scene's map in sentences that follow from its facts."""

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.explanations import ExplainedTile, TileFacts, write_explanations
from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.artefacts.tiles import TileId, read_tile_index, tile_rows
from clairemap.classes import Legend
from clairemap.console import progress, run
from clairemap.explain.cache import CachedWriter
from clairemap.explain.chosen_tiles import chosen_tiles
from clairemap.explain.explainer import explain
from clairemap.explain.tile_sums import TilePixels, sum_tile, tile_facts
from clairemap.explain.writer import Writer
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, open_probabilities
from clairemap.metrics.class_support import read_training_px, unseen_classes
from clairemap.metrics.confusion import Confusion
from clairemap.metrics.tally import read_tallies
from clairemap.raster.store import check_store
from clairemap.settings import ExplainSettings
from clairemap.stages import ExplainTiles

log = logging.getLogger("clairemap.explain_tiles")


@dataclass(frozen=True)
class _Tile:
    row: int
    col: int
    facts: TileFacts


def explain_tiles(
    scene: Annotated[str, typer.Option(help="name of the scene")],
    pair: Annotated[Path, typer.Option(help="pair.zarr of the scene")],
    probabilities: Annotated[Path, typer.Option(help="probabilities.zarr of the scene, from both sensors")],
    tiles: Annotated[Path, typer.Option(help="tiles.parquet of the scene")],
    explanations: Annotated[Path, typer.Option(help="explanations.jsonl to write: one line per mapped tile")],
    cache: Annotated[Path, typer.Option(help="folder for the cached texts of the model")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON")],
    scores: Annotated[Path | None, typer.Option(help="scores.parquet of the scene, if it has labels")] = None,
    card: Annotated[Path | None, typer.Option(help="model.json; needed to report classes unseen in training")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Write facts and text of each mapped tile, in tile order.

    Memory: pixels of one tile, facts and texts of all tiles (a few kB each).

    Raises:
        ExplainerError: the language model cannot be loaded or run.
        SettingsError: `device` is cuda, but there is no GPU.
        StoreError: a store, a table or the model's card is damaged.
    """
    chosen = ExplainTiles.from_json(settings)
    legend = chosen.legend
    started = time.monotonic()
    confusions = {} if scores is None else _confusions(scores, legend)
    unseen = unseen_classes(() if card is None else read_training_px(card, len(legend)))
    found = list(_facts(pair, probabilities, tiles, legend, confusions, unseen))
    facts = [tile.facts for tile in found]
    texts = explain(facts, _writer(chosen.explain, cache, device), chosen_tiles(facts, chosen.explain))
    write_explanations(
        explanations,
        (
            ExplainedTile(scene=scene, row=tile.row, col=tile.col, facts=tile.facts, **dict(text))
            for tile, text in zip(found, texts, strict=True)
        ),
    )
    from_model = sum(text.source == "model" for text in texts)
    log.info(
        "%s: %d tiles explained, %d by the language model, %.1f s",
        scene,
        len(texts),
        from_model,
        time.monotonic() - started,
    )


def _confusions(scores: Path, legend: Legend) -> dict[TileId, Confusion]:
    return {tile.id: tile.counts.confusion for tile in read_tallies(scores, len(legend))}


def _facts(
    pair: Path,
    probabilities: Path,
    tiles: Path,
    legend: Legend,
    confusions: dict[TileId, Confusion],
    unseen: Collection[int],
) -> Iterator[_Tile]:
    registration = check_store(pair).attributes_as(PairAttributes).registration
    mapped = open_probabilities(probabilities, legend)
    index = read_tile_index(tiles)
    valid = index[index["valid_px"] > 0].sort_values(["row", "col"])
    for tile in progress(tile_rows(valid), "measure tiles", total=len(valid)):
        window = Window(tile.y0, tile.x0, tile.height, tile.width)
        measured = sum_tile(mapped.read(PROBABILITY, window), mapped.read(OPTICAL_SHARE, window))
        if measured.mapped_px:  # a model of one sensor does not map tiles of the other sensor only
            pixels = TilePixels(
                tile.height * tile.width, tile.optical_px, tile.sar_px, tile.cloud_px, tile.cloud_unknown_px
            )
            confusion = confusions.get(tile.id)
            yield _Tile(tile.row, tile.col, tile_facts(measured, pixels, registration, legend, confusion, unseen))


def _writer(settings: ExplainSettings, cache: Path, device: str) -> Writer | None:
    if settings.model is None:
        return None
    from clairemap.explain.language_model import LanguageModel  # only if needed: imports torch and transformers
    from clairemap.inference.devices import choose_devices

    return CachedWriter(LanguageModel(settings.model, settings, str(choose_devices(device)[0])), cache)


if __name__ == "__main__":
    run(explain_tiles)
