"""Mapping a scene: the network over its windows, into a store that is written shard by shard."""

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from clairemap.artefacts.store_attributes import PairAttributes, ProbabilityAttributes
from clairemap.console import progress
from clairemap.errors import StoreError
from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.inference.budget import Budget
from clairemap.inference.core import map_core
from clairemap.inference.cut import Cut, cut_scene
from clairemap.inference.pipeline import Pipeline, slots
from clairemap.inference.probabilities import create_probabilities
from clairemap.inference.reading import SENSORS_OF_VIEW, WindowInput, WindowReader
from clairemap.inference.writing import CoreResult, ShardWriter, discard, is_written
from clairemap.nets.bundle import Bundle
from clairemap.nets.claire import Claire
from clairemap.nets.halo import full_precision
from clairemap.provenance import STAMP_PREFIX
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import InferenceSettings, Sensor, View

log = logging.getLogger(__name__)

WINDOW = f"{STAMP_PREFIX}window_px"
"""Attribute of the store: the windows it is made with. Not part of the manifest, since the content is that of any."""


@dataclass(frozen=True)
class Prediction:
    """What a prediction is made with.

    `memory_mb` (10^6 bytes) is what the process may take in all, CUDA's own share aside; `devices` are one CPU, or GPUs
    that share the windows, the first of which has the bundle.
    """

    bundle: Bundle
    view: View
    settings: InferenceSettings
    memory_mb: int = 3000
    devices: Sequence[torch.device] = (torch.device("cpu"),)

    @property
    def halo_px(self) -> int:
        """Margin of a window that is thrown away."""
        return self.bundle.card.halo_px if self.settings.halo_px is None else self.settings.halo_px

    @property
    def sensors(self) -> frozenset[Sensor]:
        """The sensors that the view shows and the network was trained on."""
        return SENSORS_OF_VIEW[self.view] & SENSORS_OF_VIEW[self.bundle.card.network.sensors]

    def window_px(self, pair: GridStore) -> int:
        """Return the side of windows in the settings, or the largest that the memory allows."""
        budget = Budget(self.memory_mb, [device for device in self.devices if device.type == "cuda"])
        if self.settings.window_px:
            return self.settings.window_px
        return budget.fitting_window_px(self.bundle, pair, self.halo_px)

    def cut(self, pair: GridStore, window_px: int | None = None) -> Cut:
        """Return how the scene is cut for windows of a size, by default that of `window_px`."""
        return cut_scene(pair.shape, window_px or self.window_px(pair), self.halo_px, pair.tile_px)


def predict_scene(pair: GridStore, prediction: Prediction, unfinished_path: Path, stamp: Mapping[str, str]) -> None:
    """Write a scene's probabilities and optical share into a store on the pair's grid and tiles.

    A pixel's result doesn't depend on the windows, to within the halo's tolerance. Memory, whatever the scene's size:
    two windows of input, one run of the network (on each GPU two), and two cores of the result, one being computed
    and one being written.

    Interrupted, it leaves the shards that are whole. Called again with the same path it goes on behind them with the
    same windows, and the store is the one of an undisturbed run.

    Args:
        pair: the scene.
        prediction: network, view and windows.
        unfinished_path: the store to make, or what an interrupted run with equal arguments left of it; complete it with
            `raster.store.complete_store`.
        stamp: goes into its attributes.

    Raises:
        BundleError: the network was trained on other bands or another SAR scale.
        SettingsError: a window doesn't fit into a GPU.
        StoreError: the pair is damaged, or another run has taken over the store.
    """
    prediction.bundle.check_input(
        pair.bands("optical"), pair.bands("sar"), pair.attributes_as(PairAttributes).sar_scale, pair.path
    )
    try:
        _Mapping(pair, prediction, _resume_or_replace_store(pair, prediction, unfinished_path, stamp)).run()
    except BaseException:
        if _resumable_store(unfinished_path) is None:
            shutil.rmtree(unfinished_path, ignore_errors=True)
        raise


def _resume_or_replace_store(
    pair: GridStore, prediction: Prediction, unfinished_path: Path, stamp: Mapping[str, str]
) -> GridStore:
    """Return the store that an interrupted run left, if it can be resumed; else delete what is there and create one."""
    window_px = prediction.window_px(pair)
    if unfinished_path.exists():
        left = _resumable_store(unfinished_path, window_px)
        if left is not None:
            left.group.attrs.update(dict(stamp))
            return left
        log.info("%s: nothing to resume, or its windows are larger than fit now; starting over", unfinished_path)
        shutil.rmtree(unfinished_path)
    card, of_pair = prediction.bundle.card, pair.attributes_as(PairAttributes)
    attributes = ProbabilityAttributes(
        scene=of_pair.scene,
        view=prediction.view,
        class_names=card.legend.names,
        class_codes=card.legend.codes.tolist(),
        georeferenced=of_pair.georeferenced,
    )
    return create_probabilities(
        unfinished_path,
        pair.geobox,
        card.legend.names,
        tile_px=pair.tile_px,
        shard_tiles=prediction.cut(pair, window_px).shard_tiles,
        attributes={**attributes.model_dump(mode="json"), WINDOW: window_px, **stamp},
    )


def _resumable_store(unfinished_path: Path, window_px: int | None = None) -> GridStore | None:
    """Return the unfinished store if it has a whole shard and was made for windows up to this size (None: any size)."""
    try:
        store = open_store(unfinished_path, "r+")
        made_for_px = int(store.attributes[WINDOW]) if WINDOW in store.attributes else None
        fits = made_for_px is not None and (window_px is None or made_for_px <= window_px)
        return store if fits and any(is_written(store, shard) for shard in store.shards()) else None
    except StoreError:
        return None


@dataclass(frozen=True)
class _Mapping:
    """One scene being mapped into a store that may hold some of its shards."""

    pair: GridStore
    prediction: Prediction
    store: GridStore

    def run(self) -> None:
        """Map all shards that are not there yet."""
        store = self.store
        cut = self.prediction.cut(self.pair, int(store.attributes[WINDOW]))
        waiting = [shard for shard in store.shards() if not is_written(store, shard)]
        for shard in waiting:
            discard(store, shard)
        steps = self._steps(cut, waiting)
        what = f"{self.pair.scene} ({self.prediction.view})"
        self._tell_plan(what, cut, len(waiting), len(steps))
        began = time.monotonic()
        at_once = slots(self.prediction.bundle.network, self.prediction.devices)
        with full_precision(), Pipeline(self._read, self._map, ShardWriter(store), at_once) as pipeline:
            mapped = sum(progress(pipeline.run(steps), f"predict {what}", len(steps)))
        mpx = sum(shard.height * shard.width for shard in waiting) / 1e6
        speed = mpx / max(time.monotonic() - began, 1e-3)
        log.info("%s: %.2f Mpx/s of the scene, %d windows without a valid pixel", what, speed, len(steps) - mapped)

    def _tell_plan(self, what: str, cut: Cut, shards: int, windows: int) -> None:
        shape, cover = self.pair.shape, cut.cover
        seen = cover.seen_px(shape) / (shape[0] * shape[1])
        sides = f"windows of {cover.outer_px} px, halo {cover.halo_px} px: {seen:.2f} x the scene's pixels"
        log.info("%s: %d of %d shards to do, %d %s", what, shards, sum(1 for _ in self.store.shards()), windows, sides)
        if cover.outer_px > max(int(self.store.attributes[WINDOW]), cover.core_px):
            log.warning(
                "The halo makes windows larger than the %d px that fit: give the job more memory, or accept "
                "seams and make inference.halo_px smaller",
                self.store.attributes[WINDOW],
            )

    def _steps(self, cut: Cut, waiting: Sequence[Window]) -> list[Step]:
        """Return the windows that the waiting shards need, those of a shard one after another."""
        return [step for shard in waiting for step in cut.cover.steps(shard, self.pair.shape)]

    @cached_property
    def _reader(self) -> WindowReader:
        return WindowReader(self.pair, self.prediction.sensors)

    def _read(self, step: Step) -> WindowInput | None:
        return self._reader.read(step)

    def _map(self, network: Claire, reading: WindowInput) -> CoreResult:
        return map_core(network, self.prediction.bundle.card, self.prediction.settings.precision, reading)
