"""Mapping a scene: the network over its windows, reading ahead and writing behind it."""

import copy
import logging
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.console import progress
from clairemap.errors import SettingsError, StoreError
from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.inference.blending import BlendingWriter, widened
from clairemap.inference.budget import WINDOWS_ON_A_GPU, fitting_window_px
from clairemap.inference.cut import Cut, cut_scene
from clairemap.inference.pipeline import ahead
from clairemap.inference.probabilities import SHARE_NODATA, create_probabilities
from clairemap.inference.reading import SENSORS, Reading, read_window
from clairemap.inference.writing import CoreResult, ShardWriter, discard, is_written
from clairemap.nets.bundle import Bundle
from clairemap.nets.claire import Claire
from clairemap.nets.halo import full_precision
from clairemap.nets.probability import upsampled_probability
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import InferenceSettings, Sensor, View

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """What a prediction is made with. `memory_mb` (10^6 bytes) is what the process may take in all."""

    bundle: Bundle
    view: View
    settings: InferenceSettings
    memory_mb: int = 3000

    @property
    def halo_px(self) -> int:
        """Margin of a window that is thrown away."""
        return self.bundle.card.halo_px if self.settings.halo_px is None else self.settings.halo_px

    @property
    def sensors(self) -> frozenset[Sensor]:
        """The sensors that the view shows and the network was trained on."""
        return SENSORS[self.view] & SENSORS[self.bundle.card.network.sensors]

    def cut(self, pair: GridStore) -> Cut:
        """Return how the scene is cut: by the settings, or for windows as large as the memory allows.

        Raises:
            SettingsError: windows are to be blended further than they reach into each other.
        """
        window_px = self.settings.window_px or fitting_window_px(self.bundle, pair, self.memory_mb)
        cut = cut_scene(pair.shape, window_px, self.halo_px, pair.tile_px)
        most = min(self.halo_px, cut.cover.core_px // 2)
        if self.settings.blend_px > most:
            raise SettingsError(
                f"inference.blend_px is {self.settings.blend_px}, but windows of {cut.cover.outer_px} px with a halo "
                f"of {self.halo_px} px can be blended over {most} px at most: make it smaller, or halo_px larger"
            )
        return cut


def choose_device(name: str) -> torch.device:
    """Return the device for "auto" (a GPU if there is one), "cpu" or "cuda".

    Raises:
        SettingsError: "cuda" is asked for but there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def predict_scene(pair: GridStore, prediction: Prediction, part: Path, stamp: Mapping[str, str]) -> None:
    """Write a scene's probabilities and optical share into a store on the pair's grid and tiles.

    A pixel's result doesn't depend on the windows, to within the halo's tolerance. Memory, whatever the scene's size:
    two windows of input, one run of the network (on each GPU two), and two cores of the result, one being computed
    and one being written. Blending windows takes more: see `BlendingWriter`.

    Interrupted, it leaves the shards that are whole. Called again with the same path it goes on behind them, and the
    store is the one of an undisturbed run.

    Args:
        pair: the scene.
        prediction: network, view and windows. On a GPU all those that PyTorch sees share the windows.
        part: the store to make, or what an interrupted run with equal arguments left of it; complete it with
            `raster.store.complete_store`.
        stamp: goes into its attributes.

    Raises:
        BundleError: the network was trained on other bands or another SAR scale.
        StoreError: the pair is damaged, or another run has taken over the store.
    """
    card = prediction.bundle.card
    prediction.bundle.check_input(
        pair.bands("optical"), pair.bands("sar"), str(pair.attributes["sar_scale"]), pair.path
    )
    attributes = {
        "scene": pair.attributes["scene"],
        "view": prediction.view,
        "class_names": list(card.legend.names),
        "class_codes": card.legend.codes.tolist(),
        "georeferenced": pair.attributes["georeferenced"],
        **stamp,
    }
    cut = prediction.cut(pair)
    store = _begun(part, pair, card.legend.names, cut.shard_tiles, attributes)
    try:
        with full_precision():
            _run(pair, prediction, cut, store)
    except BaseException:
        if not any(is_written(store, shard) for shard in store.shards()):
            shutil.rmtree(part, ignore_errors=True)
        raise


def _begun(
    part: Path, pair: GridStore, class_names: Sequence[str], shard_tiles: int, attributes: Mapping[str, object]
) -> GridStore:
    """Return the store that an earlier run left, or a new one."""
    if part.exists():
        try:
            store = open_store(part, "r+")
            if dict(store.attributes).items() >= attributes.items() and store.shard_px == shard_tiles * pair.tile_px:
                return store
        except StoreError:
            pass
        log.info("%s was left by a run that had hardly begun or cut the scene otherwise: beginning anew", part.name)
        shutil.rmtree(part)
    return create_probabilities(
        part, pair.geobox, class_names, tile_px=pair.tile_px, shard_tiles=shard_tiles, attributes=attributes
    )


def _run(pair: GridStore, prediction: Prediction, cut: Cut, store: GridStore) -> None:
    waiting = [shard for shard in store.shards() if not is_written(store, shard)]
    for shard in waiting:
        discard(store, shard)
    steps = _steps(prediction, cut, store, waiting)
    what = f"{pair.attributes['scene']} ({prediction.view})"
    seen = cut.cover.seen_px(pair.shape) / (pair.shape[0] * pair.shape[1])
    window = f"windows of {cut.cover.outer_px} px, halo {cut.cover.halo_px} px: {seen:.2f} x the scene's pixels"
    log.info("%s: %d of %d shards to do, %d %s", what, len(waiting), len(list(store.shards())), len(steps), window)
    started, skipped = time.monotonic(), 0
    with _Pipeline(pair, prediction, _writer(prediction, store, steps, waiting)) as pipeline:
        for result in progress(pipeline.results(steps), f"predict {what}", len(steps)):
            skipped += result is None
    mpx = sum(shard.height * shard.width for shard in waiting) / 1e6
    speed = mpx / max(time.monotonic() - started, 1e-3)
    log.info("%s: %.2f Mpx/s of the scene, %d windows without a valid pixel", what, speed, skipped)


def _steps(prediction: Prediction, cut: Cut, store: GridStore, waiting: Sequence[Window]) -> list[Step]:
    """Return the windows that the waiting shards need, those of a shard one after another."""
    steps = [step for shard in store.shards() for step in cut.cover.steps(shard, store.shape)]
    reach = [(step, step.core.grown(prediction.settings.blend_px)) for step in steps]
    return [step for step, wide in reach if any(not shard.intersection(wide).is_empty for shard in waiting)]


def _writer(
    prediction: Prediction, store: GridStore, steps: Sequence[Step], waiting: Sequence[Window]
) -> ShardWriter | BlendingWriter:
    blend_px = prediction.settings.blend_px
    return BlendingWriter(store, blend_px, steps, waiting) if blend_px else ShardWriter(store)


class _Pipeline:
    """Threads that read, map and write windows, one behind the other; use as a context manager.

    A window waits between reading and mapping, so that none of them waits for the disk.
    """

    def __init__(self, pair: GridStore, prediction: Prediction, writer: ShardWriter | BlendingWriter) -> None:
        self._pair = pair
        self._prediction = prediction
        self._writer = writer
        self._networks: SimpleQueue[Claire] = SimpleQueue()
        networks = _replicas(prediction.bundle.network)
        for network in networks:
            self._networks.put(network)
        self._at_once = len(networks)
        self._reader = ThreadPoolExecutor(self._at_once, thread_name_prefix="read")
        self._mapper = ThreadPoolExecutor(self._at_once, thread_name_prefix="map")
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="write")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for threads in (self._reader, self._mapper, self._behind):
            threads.shutdown(cancel_futures=True)

    def results(self, steps: Sequence[Step]) -> Iterator[CoreResult | None]:
        """Yield what has been handed to the writer, None for windows without a valid pixel; at the end all is written.

        Raises:
            StoreError, OSError: a window can't be read or written.
        """
        readings = ahead(self._read, steps, self._reader, self._at_once)
        if self._at_once == 1:  # in this thread: others get their memory in small pieces, for a third more time
            results: Iterator[CoreResult | None] = map(self._map, readings)
        else:
            results = ahead(self._map, readings, self._mapper, self._at_once - 1)
        yield from ahead(self._write, zip(steps, results, strict=True), self._behind, 1)
        self._writer.finish()

    def _read(self, step: Step) -> Reading | None:
        wide = widened(step, self._prediction.settings.blend_px, self._pair.shape)
        return read_window(self._pair, wide, self._prediction.sensors)

    def _map(self, reading: Reading | None) -> CoreResult | None:
        if reading is None:
            return None
        network = self._networks.get()
        try:
            return map_core(network, self._prediction, reading)
        finally:
            self._networks.put(network)

    def _write(self, done: tuple[Step, CoreResult | None]) -> CoreResult | None:
        step, result = done
        if isinstance(self._writer, BlendingWriter):
            self._writer.put(step.core, result)
        else:
            self._writer.put(result)
        return result


def _replicas(network: Claire) -> list[Claire]:
    """Return the networks that work side by side: this one on a CPU; on GPUs one of each for two windows at once."""
    device = next(iter(network.parameters()), torch.empty(0)).device
    if device.type == "cpu":
        return [network]
    others = [index for index in range(torch.cuda.device_count()) if index != (device.index or 0)]
    replicas = [network, *(copy.deepcopy(network).to(f"cuda:{index}") for index in others)]
    return replicas * WINDOWS_ON_A_GPU


@torch.inference_mode()
def map_core(network: Claire, prediction: Prediction, reading: Reading) -> CoreResult:
    """Return the result in a window's core.

    Args:
        network: the prediction's, or a replica on another device.
        prediction: says how to treat what comes in and out.
        reading: the window.
    """
    card = prediction.bundle.card
    device = next(iter(network.parameters()), torch.empty(0)).device
    with torch.autocast(device.type, torch.bfloat16, enabled=prediction.settings.precision == "bfloat16"):
        logits, share = network.cells(
            card.optical_bands.normalise(_batch(reading.optical, device)),
            card.sar_bands.normalise(_batch(reading.sar, device)),
            _batch(reading.optical_usable[None], device).float(),
            _batch(reading.sar_usable[None], device).float(),
        )
    core = reading.step.core.relative_to(reading.step.outer)
    optical, sar = reading.optical_usable[core.slices], reading.sar_usable[core.slices]
    percent = _percent(share[0, 0], reading.step.outer.height // share.shape[-2], core.slices)
    percent[~optical] = 0  # where just one sensor is usable it is all of the result
    percent[~sar] = 100
    stride = reading.step.outer.height // logits.shape[-2]
    probability = upsampled_probability(logits[0], *core.slices, stride, card.temperature)
    unmapped = ~(optical | sar)
    if unmapped.any():
        percent[unmapped] = SHARE_NODATA
        probability *= ~unmapped
    return CoreResult(reading.step.core, probability, percent)


def _batch(values: NDArray[np.generic], device: torch.device) -> Tensor:
    batch = torch.from_numpy(values)[None]
    return batch if device.type == "cpu" else batch.pin_memory().to(device, non_blocking=True)


def _percent(share: Tensor, stride: int, pixels: tuple[slice, slice]) -> NDArray[np.uint8]:
    """Return the share of each pixel's cell in percent, for pixels that begin at a cell's corner."""
    rows, columns = (slice(part.start // stride, -(-part.stop // stride)) for part in pixels)
    cells = share[rows, columns].float().mul(100).round().to(torch.uint8).cpu().numpy()
    spread = cells.repeat(stride, axis=0).repeat(stride, axis=1)
    return np.ascontiguousarray(spread[: pixels[0].stop - pixels[0].start, : pixels[1].stop - pixels[1].start])
