"""Class probabilities of a scene: the network run over it in windows whose cut leaves no trace."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.console import progress
from clairemap.errors import SettingsError
from clairemap.inference.cut import Cut, cut_scene
from clairemap.inference.probabilities import SHARE_NODATA, create_probabilities
from clairemap.inference.reading import SENSORS, Reading, read_ahead
from clairemap.inference.writing import BandWriter, CoreResult
from clairemap.nets.bundle import Bundle
from clairemap.nets.halo import full_precision
from clairemap.nets.probability import stored_probability
from clairemap.raster.store import GridStore
from clairemap.settings import InferenceSettings, Sensor, View

log = logging.getLogger(__name__)

SHARE_STRIDE = 4
"""The network says the optical share for cells of this many pixels."""


@dataclass(frozen=True)
class Prediction:
    """What a prediction is made with."""

    bundle: Bundle
    view: View
    settings: InferenceSettings

    @property
    def halo_px(self) -> int:
        """Margin of a window that is thrown away."""
        return self.bundle.card.halo_px if self.settings.halo_px is None else self.settings.halo_px

    @property
    def sensors(self) -> frozenset[Sensor]:
        """The sensors that the view shows and the network was trained on."""
        return SENSORS[self.view] & SENSORS[self.bundle.card.network.sensors]


def choose_device(name: str) -> torch.device:
    """Return the device for "auto" (a GPU if there is one), "cpu" or "cuda".

    Raises:
        SettingsError: "cuda" is asked for but there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise SettingsError("compute.device is cuda, but PyTorch sees no GPU here; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def predict_scene(pair: GridStore, prediction: Prediction, part: Path, stamp: Mapping[str, str]) -> None:
    """Write a scene's probabilities and optical share into a new store on the pair's grid and tiles.

    A pixel's result doesn't depend on `window_px`, to within the halo's tolerance. Memory: two windows of
    input, one network run on `window_px` squared, and two bands of the result, one being filled and one being
    written. A band is as high as the store's shards (a window's core, but at least a tile) and as wide as the
    scene, with (classes + 1) bytes for each pixel: memory doesn't grow with the scene's height, but with its width.
    With 7 classes and cores of 1536 px, each 10 000 px of width take 250 MB.

    Args:
        pair: the scene.
        prediction: network, view and windows.
        part: the store to make; complete it with `raster.store.complete_store`.
        stamp: goes into its attributes.

    Raises:
        BundleError: the network was trained on other bands or another SAR scale.
        StoreError: the pair is damaged.
    """
    card = prediction.bundle.card
    prediction.bundle.check_input(
        pair.bands("optical"), pair.bands("sar"), str(pair.attributes["sar_scale"]), pair.path
    )
    cut = cut_scene(pair.shape, prediction.settings.window_px, prediction.halo_px, pair.tile_px)
    attributes = {
        "scene": pair.attributes["scene"],
        "view": prediction.view,
        "class_names": list(card.legend.names),
        "class_codes": card.legend.codes.tolist(),
        "georeferenced": pair.attributes["georeferenced"],
        **stamp,
    }
    store = create_probabilities(
        part,
        pair.geobox,
        card.legend.names,
        tile_px=pair.tile_px,
        shard_tiles=cut.shard_tiles,
        attributes=attributes,
    )
    with full_precision():
        _run(pair, prediction, cut, store)


def _run(pair: GridStore, prediction: Prediction, cut: Cut, store: GridStore) -> None:
    steps = list(chain.from_iterable(cut.cover.bands(pair.shape)))
    skipped = 0
    with ThreadPoolExecutor(1, "read") as reader, BandWriter(store) as writer:
        readings = read_ahead(pair, steps, prediction.sensors, reader)
        for reading in progress(readings, f"predict {pair.attributes['scene']}", len(steps)):
            if reading is None:
                skipped += 1
            else:
                writer.put(_map_core(prediction.bundle, reading))
    log.info(
        "%s (%s): %d windows of %d px, halo %d px, %d of them without a valid pixel",
        pair.attributes["scene"],
        prediction.view,
        len(steps),
        cut.cover.outer_px,
        cut.cover.halo_px,
        skipped,
    )


@torch.inference_mode()
def _map_core(bundle: Bundle, reading: Reading) -> CoreResult:
    card = bundle.card
    device = next(iter(bundle.network.parameters()), torch.empty(0)).device
    logits, share = bundle.network(
        card.optical_bands.normalise(_batch(reading.optical, device)),
        card.sar_bands.normalise(_batch(reading.sar, device)),
        _batch(reading.optical_usable[None], device).float(),
        _batch(reading.sar_usable[None], device).float(),
    )
    core = reading.step.core.relative_to(reading.step.outer)
    optical, sar = reading.optical_usable[core.slices], reading.sar_usable[core.slices]
    percent = _percent(share[0, 0], (core.y0, core.x0), core.shape)
    percent[~optical] = 0  # where just one sensor is usable it is all of the result
    percent[~sar] = 100
    probability = stored_probability(logits[0, :, *core.slices], card.temperature)
    unmapped = ~(optical | sar)
    if unmapped.any():
        percent[unmapped] = SHARE_NODATA
        probability *= ~unmapped
    return CoreResult(reading.step.core, probability, percent)


def _batch(values: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(values)[None].to(device, non_blocking=True)


def _percent(share: Tensor, start: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the share of each pixel's cell in percent, for the pixels from `start` (a cell's corner)."""
    rows, columns = (
        slice(begin // SHARE_STRIDE, -(-(begin + size) // SHARE_STRIDE))
        for begin, size in zip(start, shape, strict=True)
    )
    cells = share[rows, columns].float().mul(100).round().to(torch.uint8).cpu().numpy()
    pixels = cells.repeat(SHARE_STRIDE, axis=0).repeat(SHARE_STRIDE, axis=1)
    return np.ascontiguousarray(pixels[: shape[0], : shape[1]])
