"""Explain each tile of a scene's map in sentences that follow from its facts."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from clairemap.artefacts.explanations import ExplainedTile, TileFacts, write_explanations
from clairemap.artefacts.model_card import ModelCard
from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.artefacts.tiles import TileId, TileRow, read_tile_index, tile_rows
from clairemap.classes import Legend
from clairemap.console import progress, run
from clairemap.explain.cache import CachedWriter
from clairemap.explain.chosen_tiles import chosen_tiles
from clairemap.explain.deviations import SensorValues
from clairemap.explain.explainer import explain
from clairemap.explain.reasons import MappedTile, tile_reasons
from clairemap.explain.tile_sums import TilePixels, names_in_texts, sum_tile, tile_facts
from clairemap.explain.writer import Writer
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, open_probabilities
from clairemap.metrics.class_support import checked_card, unseen_classes
from clairemap.metrics.confusion import Confusion
from clairemap.metrics.tally import read_tallies
from clairemap.outputs import FUSED
from clairemap.raster.store import GridStore, check_store
from clairemap.settings import ExplainSettings, InferenceSettings, Sensor
from clairemap.stages import ExplainTiles
from clairemap.validity import Flags, Mask, optical_usable, sar_usable

if TYPE_CHECKING:
    from clairemap.inference.tile_classes import TileMapper

log = logging.getLogger("clairemap.explain_tiles")


@dataclass(frozen=True)
class _Tile:
    row: TileRow
    facts: TileFacts


@dataclass(frozen=True)
class _Network:
    """Files of the model that mapped the scene, and where it runs."""

    weights: Path
    card: Path
    device: str
    memory_mb: int


def explain_tiles(
    scene: Annotated[str, typer.Option(help="name of the scene")],
    pair: Annotated[Path, typer.Option(help="pair.zarr of the scene")],
    probabilities: Annotated[Path, typer.Option(help="probabilities.zarr of the scene, from both sensors")],
    tiles: Annotated[Path, typer.Option(help="tiles.parquet of the scene")],
    explanations: Annotated[Path, typer.Option(help="explanations.jsonl to write: one line per mapped tile")],
    cache: Annotated[Path, typer.Option(help="folder for the cached texts of the model")],
    weights: Annotated[Path, typer.Option(help="model.safetensors of the model that mapped the scene")],
    card: Annotated[Path, typer.Option(help="model.json of this model")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON")],
    scores: Annotated[Path | None, typer.Option(help="scores.parquet of the scene, if it has labels")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    memory_mb: Annotated[int, typer.Option(help="memory for mapping tiles without a sensor, MB")] = 3000,
) -> None:
    """Write facts and text of each mapped tile, in tile order.

    Memory: pixels of one tile, facts and texts of all tiles (a few kB each), the models.

    Raises:
        ExplainerError: the language model cannot be loaded or run.
        SettingsError: `device` is cuda, but there is no GPU.
        StoreError: a store, a table or the model's card is damaged.
    """
    chosen = ExplainTiles.from_json(settings)
    started = time.monotonic()
    opened = _Scene(
        check_store(pair),
        open_probabilities(probabilities, chosen.legend),
        checked_card(card, len(chosen.legend)),
        chosen.legend,
        {} if scores is None else _confusions(scores, chosen.legend),
    )
    found = list(opened.tiles(read_tile_index(tiles)))
    network = _Network(weights, card, device, memory_mb)
    found = _with_sensors_compared(opened, found, network, chosen.explain.sensor_tiles)
    facts = [tile.facts for tile in found]
    texts = explain(facts, _writer(chosen.explain, cache, device), chosen_tiles(facts, chosen.explain))
    write_explanations(
        explanations,
        (
            ExplainedTile(scene=scene, row=tile.row.row, col=tile.row.col, facts=tile.facts, **dict(text))
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


@dataclass(frozen=True)
class _Scene:
    """Opened stores of a scene, and the model that mapped it."""

    pair: GridStore
    mapped: GridStore
    card: ModelCard
    legend: Legend
    confusions: Mapping[TileId, Confusion]

    def tiles(self, index: pd.DataFrame) -> Iterator[_Tile]:
        """Yield position and facts of each mapped tile, in tile order."""
        registration = self.pair.attributes_as(PairAttributes).registration
        names, unseen = names_in_texts(self.legend), unseen_classes(self.card.learnt_px)
        valid = index[index["valid_px"] > 0].sort_values(["row", "col"])
        for tile in progress(tile_rows(valid), "measure tiles", total=len(valid)):
            arrays = self._arrays(Window(tile.y0, tile.x0, tile.height, tile.width))
            measured = sum_tile(arrays.probability, arrays.optical_share)
            if measured.mapped_px:  # a model of one sensor does not map tiles of the other sensor only
                counts = (tile.optical_px, tile.sar_px, tile.cloud_px, tile.cloud_unknown_px)
                pixels = TilePixels(tile.height * tile.width, *counts)
                confusion = self.confusions.get(tile.id)
                facts = tile_facts(measured, pixels, registration, self.legend, confusion, unseen)
                yield _Tile(tile, facts.model_copy(update={"reasons": tile_reasons(arrays, self.card, names)}))

    def compared(self, tile: _Tile, mappers: Mapping[Sensor, "TileMapper"]) -> _Tile:
        """Return a tile with what the map would show without each sensor."""
        window = Window(tile.row.y0, tile.row.x0, tile.row.height, tile.row.width)
        without = {sensor: mapper.classes(window) for sensor, mapper in mappers.items()}
        reasons = tile_reasons(self._arrays(window, without), self.card, names_in_texts(self.legend))
        return replace(tile, facts=tile.facts.model_copy(update={"reasons": reasons}))

    def _arrays(self, window: Window, without: dict[Sensor, NDArray[np.uint8]] | None = None) -> MappedTile:
        flags: Flags = self.pair.read("validity", window)
        usable: dict[Sensor, Mask] = {"optical": optical_usable(flags), "sar": sar_usable(flags)}
        scale = self.pair.attributes_as(PairAttributes).sar_scale
        return MappedTile(
            self.mapped.read(PROBABILITY, window),
            self.mapped.read(OPTICAL_SHARE, window),
            tuple(
                SensorValues(sensor, self.pair.bands(sensor), scale, self.pair.read(sensor, window), mask)
                for sensor, mask in usable.items()
            ),
            without or {},
        )


def _confusions(scores: Path, legend: Legend) -> dict[TileId, Confusion]:
    return {tile.id: tile.counts.confusion for tile in read_tallies(scores, len(legend))}


def _with_sensors_compared(scene: _Scene, tiles: Sequence[_Tile], network: _Network, count: int) -> list[_Tile]:
    """Return the tiles; the least confident ones that both sensors see are mapped without each sensor too."""
    both = [place for place, tile in enumerate(tiles) if not tile.facts.sensor.endswith("only")]
    chosen = sorted(both, key=lambda place: tiles[place].facts.confidence_pct)[:count]
    if not chosen or scene.card.network.sensors != FUSED:
        return list(tiles)
    mappers = _mappers(scene.pair, network)
    found = list(tiles)
    for place in progress(chosen, "map tiles without each sensor", total=len(chosen)):
        found[place] = scene.compared(tiles[place], mappers)
    return found


def _mappers(pair: GridStore, network: _Network) -> dict[Sensor, "TileMapper"]:
    """Return what maps tiles without each sensor."""
    # Imported only if needed: they import torch.
    from clairemap.inference.devices import choose_devices
    from clairemap.inference.predict import Prediction
    from clairemap.inference.tile_classes import TileMapper
    from clairemap.nets.bundle import load_bundle

    devices = choose_devices(network.device)[:1]
    bundle = load_bundle(network.weights, network.card, devices[0])
    views: dict[Sensor, Sensor] = {"optical": "sar", "sar": "optical"}
    return {
        left_out: TileMapper(pair, Prediction(bundle, view, InferenceSettings(), network.memory_mb, devices))
        for left_out, view in views.items()
    }


def _writer(settings: ExplainSettings, cache: Path, device: str) -> Writer | None:
    if settings.model is None:
        return None
    from clairemap.explain.language_model import LanguageModel  # only if needed: imports torch and transformers
    from clairemap.inference.devices import choose_devices

    return CachedWriter(LanguageModel(settings.model, settings, str(choose_devices(device)[0])), cache)


if __name__ == "__main__":
    run(explain_tiles)
