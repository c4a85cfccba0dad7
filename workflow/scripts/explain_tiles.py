"""Explain each tile of a scene's map in checked sentences."""

import json
import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from clairemap.classes import Legend
from clairemap.console import progress, run
from clairemap.explain.cache import CachedWriter
from clairemap.explain.evidence import TilePixels, measure, spoken_names, tile_facts
from clairemap.explain.explainer import Explainer, Explanation
from clairemap.explain.facts import TileFacts
from clairemap.explain.writer import Writer
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, open_probabilities
from clairemap.metrics.confusion import Confusion
from clairemap.metrics.learnt import read_training_px, unseen_classes
from clairemap.metrics.tally import read_tallies
from clairemap.provenance import write_text_whole
from clairemap.raster.store import check_store
from clairemap.settings import ExplainSettings
from clairemap.stages import ExplainTiles
from clairemap.tiles.index import read_tile_index, tile_rows

log = logging.getLogger("clairemap.explain_tiles")

Place = tuple[int, int]


@dataclass(frozen=True)
class _Tile:
    row: int
    col: int
    facts: TileFacts


def explain_tiles(
    scene: Annotated[str, typer.Option(help="name of the scene")],
    pair: Annotated[Path, typer.Option(help="the scene's store")],
    probabilities: Annotated[Path, typer.Option(help="class probabilities of the scene, both sensors")],
    tiles: Annotated[Path, typer.Option(help="table of the scene's tiles")],
    explanations: Annotated[Path, typer.Option(help="file to write, one JSON object in a line for each mapped tile")],
    cache: Annotated[Path, typer.Option(help="folder that keeps the model's answers")],
    settings: Annotated[str, typer.Option(help="settings of this stage, JSON")],
    scores: Annotated[Path | None, typer.Option(help="table of the tiles' scores, if the scene has labels")] = None,
    card: Annotated[
        Path | None, typer.Option(help="model.json; without it classes unseen in training are not reported")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Write facts and text of each tile in which something is mapped, in the order of the tiles.

    Reads one tile at a time; facts and texts of all tiles (a few kB each) are held until they are written.

    Raises:
        ExplainerError: the language model can't be loaded or run.
        SettingsError: the language model is to run on a GPU and there is none.
        StoreError: a store, a table or the model's card is damaged.
    """
    chosen = ExplainTiles.from_json(settings)
    legend = chosen.legend.legend()
    started = time.monotonic()
    confusions = {} if scores is None else _confusions(scores, legend)
    unseen = unseen_classes(() if card is None else read_training_px(card, len(legend)))
    found = list(_facts(pair, probabilities, tiles, legend, confusions, unseen))
    explainer = Explainer(spoken_names(legend), _writer(chosen.explain, cache, device))
    texts = explainer.explain([tile.facts for tile in found])
    lines = (_line(scene, tile, text) for tile, text in zip(found, texts, strict=True))
    write_text_whole(explanations, "".join(f"{line}\n" for line in lines))
    from_model = sum(text.source == "model" for text in texts)
    log.info("%s: %d tiles, %d by the model, %.1f s", scene, len(texts), from_model, time.monotonic() - started)


def _confusions(scores: Path, legend: Legend) -> dict[Place, Confusion]:
    return {(tile.row, tile.col): tile.counts.confusion for tile in read_tallies(scores, len(legend))}


def _facts(
    pair: Path,
    probabilities: Path,
    tiles: Path,
    legend: Legend,
    confusions: dict[Place, Confusion],
    unseen: Collection[int],
) -> Iterator[_Tile]:
    registration = check_store(pair, pair.with_suffix(".json")).attributes["registration"]
    mapped = open_probabilities(probabilities, legend)
    index = read_tile_index(tiles)
    valid = index[index["valid_px"] > 0].sort_values(["row", "col"])
    for tile in progress(tile_rows(valid), "measure tiles", total=len(valid)):
        window = Window(tile.y0, tile.x0, tile.height, tile.width)
        measured = measure(mapped.read(PROBABILITY, window), mapped.read(OPTICAL_SHARE, window))
        if measured.mapped_px:  # a model of one sensor leaves tiles unmapped that only the other one shows
            pixels = TilePixels(
                tile.height * tile.width, tile.optical_px, tile.sar_px, tile.cloud_px, tile.cloud_unknown_px
            )
            confusion = confusions.get((tile.row, tile.col))
            yield _Tile(tile.row, tile.col, tile_facts(measured, pixels, registration, legend, confusion, unseen))


def _writer(settings: ExplainSettings, cache: Path, device: str) -> Writer | None:
    if settings.model is None:
        return None
    from clairemap.explain.phi import PhiWriter  # only where it is used: it imports torch and transformers

    return CachedWriter(PhiWriter(settings.model, settings, device), cache)


def _line(scene: str, tile: _Tile, explanation: Explanation) -> str:
    return json.dumps(
        {
            "scene": scene,
            "row": tile.row,
            "col": tile.col,
            "facts": tile.facts.record(),
            "text": explanation.text,
            "source": explanation.source,
            "faults": list(explanation.faults),
            "key": explanation.key,
        },
        ensure_ascii=False,
    )


if __name__ == "__main__":
    run(explain_tiles)
