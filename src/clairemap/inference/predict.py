"""Map a scene: run the network on its windows and write a store shard by shard."""

import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from clairemap.artefacts.model_card import ModelCard
from clairemap.artefacts.store_attributes import PairAttributes, ProbabilityAttributes
from clairemap.console import progress
from clairemap.errors import StoreError
from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.inference.budget import Budget
from clairemap.inference.pipeline import Pipeline, slots
from clairemap.inference.probabilities import create_probabilities
from clairemap.inference.reading import SENSORS_OF_VIEW, WindowInput, WindowReader
from clairemap.inference.scene_windows import SceneWindows, scene_windows
from clairemap.inference.window_mapping import map_window
from clairemap.inference.writing import CoreResult, ShardWriter, discard, has_result
from clairemap.nets.bundle import Bundle
from clairemap.nets.claire import Claire
from clairemap.nets.halo import full_precision
from clairemap.provenance import STAMP_PREFIX
from clairemap.raster.scene_moments import scene_moments
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import InferenceSettings, Sensor, View

log = logging.getLogger(__name__)

WINDOW = f"{STAMP_PREFIX}window_px"
"""Attribute of the store: its window size. Not in the manifest, since the result does not depend on it."""


@dataclass(frozen=True)
class Prediction:
    """Network, view, settings and resources of a prediction.

    `memory_mb` (10^6 bytes) is the memory of the process without CUDA. `devices` is one CPU, or GPUs that share the
    windows; the bundle is on the first.
    """

    bundle: Bundle
    view: View
    settings: InferenceSettings
    memory_mb: int = 3000
    devices: Sequence[torch.device] = (torch.device("cpu"),)

    @property
    def halo_px(self) -> int:
        """Margin of a window to discard, pixels."""
        return self.bundle.card.halo_px if self.settings.halo_px is None else self.settings.halo_px

    @property
    def sensors(self) -> frozenset[Sensor]:
        """Sensors of the view that the network was trained on."""
        return SENSORS_OF_VIEW[self.view] & SENSORS_OF_VIEW[self.bundle.card.network.sensors]

    def card_for(self, pair: GridStore) -> ModelCard:
        """Return the card with the band moments that normalise a scene.

        Raises:
            StoreError: the model needs the scene's moments, but the pair is from an earlier version, without them.
        """
        card = self.bundle.card
        return card if card.normalisation == "training" else card.with_moments(scene_moments(pair))

    def window_px(self, pair: GridStore) -> int:
        """Return the window size of the settings, or the largest that fits into memory."""
        budget = Budget(self.memory_mb, [device for device in self.devices if device.type == "cuda"])
        if self.settings.window_px:
            return self.settings.window_px
        return budget.fitting_window_px(self.bundle, pair, self.halo_px)

    def scene_windows(self, pair: GridStore, window_px: int | None = None) -> SceneWindows:
        """Return the windows of a scene, by default of the size `window_px(pair)`."""
        return scene_windows(pair.shape, window_px or self.window_px(pair), self.halo_px, pair.tile_px)


def predict_scene(pair: GridStore, prediction: Prediction, unfinished_path: Path, stamp: Mapping[str, str]) -> None:
    """Write a scene's probabilities and optical share into a store with the pair's grid and tiles.

    The result does not depend on the windows, within the tolerance of the halo. Memory does not depend on the size of
    the scene: two windows of input, one forward pass (two per GPU) and the results of two cores.

    An interrupted run leaves complete shards. Called again with the same path, it resumes with the same windows; the
    result is that of an uninterrupted run.

    Args:
        pair: the scene.
        prediction: network, view and windows.
        unfinished_path: store to create, or to resume if an interrupted run with equal arguments left it; complete it
            with `raster.store.complete_store`.
        stamp: added to its attributes.

    Raises:
        BundleError: the network was trained on other bands or another SAR scale.
        SettingsError: a window does not fit into a GPU.
        StoreError: the pair is damaged, or another run has taken over the store.
    """
    prediction.bundle.check_input(
        pair.bands("optical"), pair.bands("sar"), pair.attributes_as(PairAttributes).sar_scale, pair.path
    )
    try:
        _SceneMapper(pair, prediction, _resume_or_replace_store(pair, prediction, unfinished_path, stamp)).run()
    except BaseException:
        if _resumable_store(unfinished_path) is None:
            shutil.rmtree(unfinished_path, ignore_errors=True)
        raise


def _resume_or_replace_store(
    pair: GridStore, prediction: Prediction, unfinished_path: Path, stamp: Mapping[str, str]
) -> GridStore:
    """Return the store of an interrupted run if it can be resumed, else a new one that replaces it."""
    window_px = prediction.window_px(pair)
    if unfinished_path.exists():
        left = _resumable_store(unfinished_path, window_px)
        if left is not None:
            left.group.attrs.update(dict(stamp))
            return left
        log.info("%s: no complete shards, or its windows do not fit into memory; starting over", unfinished_path)
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
        shard_tiles=prediction.scene_windows(pair, window_px).shard_tiles,
        attributes={**attributes.model_dump(mode="json"), WINDOW: window_px, **stamp},
    )


def _resumable_store(unfinished_path: Path, window_px: int | None = None) -> GridStore | None:
    """Return the unfinished store if it has a complete shard and windows up to this size (None: any size)."""
    try:
        store = open_store(unfinished_path, "r+")
        own_px = int(store.attributes[WINDOW]) if WINDOW in store.attributes else None
        fits = own_px is not None and (window_px is None or own_px <= window_px)
        begun = store.has_merged_shards or any(has_result(store, shard) for shard in store.shards())
        return store if fits and begun else None
    except StoreError:
        return None


@dataclass(frozen=True)
class _SceneMapper:
    """Maps a scene into a store that may already contain some shards."""

    pair: GridStore
    prediction: Prediction
    store: GridStore

    def run(self) -> None:
        """Map all missing shards."""
        store = self.store
        windows = self.prediction.scene_windows(self.pair, int(store.attributes[WINDOW]))
        waiting = self._waiting()
        for shard in waiting:
            discard(store, shard)
        steps = self._steps(windows, waiting)
        what = f"{self.pair.scene} ({self.prediction.view})"
        self._log_plan(what, windows, len(waiting), len(steps))
        began = time.monotonic()
        at_once = slots(self.prediction.bundle.network, self.prediction.devices)
        with full_precision(), Pipeline(self._read, self._map, ShardWriter(store), at_once) as pipeline:
            mapped = sum(progress(pipeline.run(steps), f"predict {what}", len(steps)))
        mpx = sum(shard.height * shard.width for shard in waiting) / 1e6
        speed = mpx / max(time.monotonic() - began, 1e-3)
        log.info("%s: %.2f Mpx/s, %d windows without usable pixels", what, speed, len(steps) - mapped)

    def _waiting(self) -> list[Window]:
        """Return the shards to map; none if an interrupted run has mapped all and begun to merge them."""
        store = self.store
        return [] if store.has_merged_shards else [shard for shard in store.shards() if not has_result(store, shard)]

    def _log_plan(self, what: str, windows: SceneWindows, shards: int, steps: int) -> None:
        shape, cover = self.pair.shape, windows.cover
        factor = cover.processed_px(shape) / (shape[0] * shape[1])
        sides = f"{cover.outer_px} px, halo {cover.halo_px} px ({factor:.2f} x the scene's pixels)"
        total = sum(1 for _ in self.store.shards())
        log.info("%s: %d of %d shards to map, %d windows of %s", what, shards, total, steps, sides)
        fitting_px = int(self.store.attributes[WINDOW])
        if cover.outer_px > max(fitting_px, cover.core_px):
            log.warning(
                "%s: windows of %d px are larger than the %d px that fit into memory; increase "
                "compute.mapping_memory_mb, or reduce inference.halo_px (may leave seams)",
                what,
                cover.outer_px,
                fitting_px,
            )

    def _steps(self, windows: SceneWindows, waiting: Sequence[Window]) -> list[Step]:
        """Return the windows of the waiting shards, shard by shard."""
        return [step for shard in waiting for step in windows.cover.steps(shard, self.pair.shape)]

    @cached_property
    def _card(self) -> ModelCard:
        return self.prediction.card_for(self.pair)

    @cached_property
    def _reader(self) -> WindowReader:
        return WindowReader(self.pair, self.prediction.sensors)

    def _read(self, step: Step) -> WindowInput | None:
        return self._reader.read(step)

    def _map(self, network: Claire, reading: WindowInput) -> CoreResult:
        return map_window(network, self._card, self.prediction.settings.precision, reading)
