"""Calibration of the network's confidences on the validation tiles by temperature scaling (Guo et al. 2017).

Logits are divided by the temperature, which changes confidences but not classes. It is fitted to all labelled tiles;
scenes have the same weight. Scores after calibration are cross-fitted: each scene is scored with the temperature of the
others, so that the scores hold for other places. With a single scene each half of its tiles is scored with the
temperature of the other half.
"""

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from clairemap.artefacts.model_card import CONFIDENCE_FROM_PCT, CalibrationFit, ConfidenceRecord, UnseenScenes
from clairemap.classes import IGNORE_INDEX, PROBABILITY_ONE
from clairemap.metrics.calibration import Calibration, calibration, expected_calibration_error
from clairemap.nets.claire import Claire
from clairemap.nets.probability import stored_probability
from clairemap.raster.most_probable import most_probable
from clairemap.tiles.dataset import TileDataset
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.validation import predicted_tiles

log = logging.getLogger(__name__)

MAX_PIXELS = 200_000
"""Number of pixels from which a temperature is fitted, if there are as many; see `_strides`."""

SCENE_PIXELS = 3000
"""Number of pixels that is drawn from each scene, if it has as many."""

ENOUGH_PX = 1000
"""Pixels from which a scene has full weight, and a calibration error of its own."""

TEMPERATURE_RANGE = (0.1, 10.0)
"""Range of temperatures. Without it the fit diverges for a network without errors on the tiles."""

MOST_PARTS = 10
"""Maximum number of parts of the scenes in cross-fitting."""

HARMFUL_ECE = 0.01
"""Increase of the calibration error on left-out scenes from which a warning is logged."""

NEAR_BOUND_FACTOR = 1.01
"""A temperature within this factor of an end of TEMPERATURE_RANGE counts as limited by the range."""


@dataclass(frozen=True)
class LabelledPixels:
    """Labelled pixels: their logits (K, N) float32 and class indices (N,) uint8."""

    logits: NDArray[np.float32]
    truth: NDArray[np.uint8]


Scored = tuple[LabelledPixels, float]
"""Pixels and the temperature that they are scored with."""


@dataclass(frozen=True)
class Temperature:
    """The number to divide logits by, the scores before and after, and the accuracy by class and confidence.

    `fit` and `record` are None if nothing was fitted.
    """

    value: float
    fit: CalibrationFit | None
    record: ConfidenceRecord | None = None


NOT_FITTED = Temperature(1.0, None)


def calibrate(
    network: Claire, tiles: TileDataset, trained_on: Collection[str], scales: BandScales, processes: Processes
) -> Temperature:
    """Return the temperature of a network, the same in all processes; `NOT_FITTED` without a labelled pixel.

    Uses one to three times MAX_PIXELS pixels, more with over 60 scenes. Memory per process: 4 bytes per pixel and
    class, 28 during the fit (8 classes: 45 to 135 MB).

    Args:
        network: with the weights to keep.
        tiles: held-out tiles; each process maps its share of them.
        trained_on: names of the scenes with training tiles.
        scales: scales of the bands.
        processes: all must call this.
    """
    strides = _strides(tiles)
    own = [
        (number, _labelled_pixels(logits, target, strides[tiles.tiles[number].scene]))
        for number, logits, target in predicted_tiles(network, tiles, scales, processes)
    ]
    labelled: dict[str, list[LabelledPixels]] = {}
    for number, pixels in sorted(processes.gather(own), key=lambda numbered: numbered[0]):
        if len(pixels.truth):
            labelled.setdefault(tiles.tiles[number].scene, []).append(pixels)
    if not labelled:
        return NOT_FITTED
    scenes = [_pooled(of_scene) for of_scene in labelled.values()]
    value = fit_temperature(scenes)
    found = Temperature(value, calibration_fit(labelled, trained_on), confidence_record(scenes, value))
    _log_temperature(found)
    return found


def _strides(tiles: TileDataset) -> dict[str, int]:
    """Return for each scene which of its labelled pixels are drawn: every n-th.

    At least an equal part of MAX_PIXELS and SCENE_PIXELS are drawn, at most three times as many. The numbers are odd,
    so that all columns are drawn from: a tile's width is even.
    """
    labelled: dict[str, int] = {}
    for tile in tiles.tiles:
        labelled[tile.scene] = labelled.get(tile.scene, 0) + tile.labelled_px
    wanted = max(MAX_PIXELS // max(len(labelled), 1), SCENE_PIXELS)
    return {scene: max((px // wanted - 1) | 1, 1) for scene, px in labelled.items()}


def fit_temperature(scenes: Sequence[LabelledPixels]) -> float:
    """Return the temperature T in TEMPERATURE_RANGE that minimises the negative log likelihood, mean over scenes.

    Scenes with fewer than ENOUGH_PX pixels have a lower weight. The mean is convex in 1 / T, so there is one minimum,
    found to a relative error of 1e-5.
    """
    weights = [min(len(scene.truth), ENOUGH_PX) for scene in scenes]
    found = minimize_scalar(
        lambda log_t: np.average([mean_nll(scene, math.exp(log_t)) for scene in scenes], weights=weights),
        bounds=(math.log(TEMPERATURE_RANGE[0]), math.log(TEMPERATURE_RANGE[1])),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return math.exp(found.x)


def mean_nll(pixels: LabelledPixels, temperature: float) -> float:
    """Return the mean of -log softmax(logits / temperature) at the labels, in nats; computed in float64."""
    scaled = pixels.logits / np.float64(temperature)
    scaled -= scaled.max(axis=0)
    of_label = np.take_along_axis(scaled, pixels.truth[None].astype(np.int64), axis=0)[0]
    return float((np.log(np.exp(scaled).sum(axis=0)) - of_label).mean())


def calibration_fit(labelled: Mapping[str, Sequence[LabelledPixels]], trained_on: Collection[str]) -> CalibrationFit:
    """Return calibration error and NLL before and after calibration; after: cross-fitted, None with a single tile.

    Args:
        labelled: tiles with labels, by scene.
        trained_on: names of the scenes with training tiles.
    """
    tiles = [tile for of_scene in labelled.values() for tile in of_scene]
    parts = list(labelled.values()) if len(labelled) > 1 else [half for half in (tiles[::2], tiles[1::2]) if half]
    crossed = _cross_fitted([_pooled(part) for part in parts])
    before, after = _scores([(_pooled(tiles), 1.0)]), _scores(crossed) if crossed else (None, None)
    return CalibrationFit(
        ece_before=before[0],
        ece_after=after[0],
        nll_before=before[1],
        nll_after=after[1],
        pixels=sum(len(tile.truth) for tile in tiles),
        tiles=len(tiles),
        scenes=len(labelled),
        unseen=_unseen(dict(zip(labelled, crossed, strict=True)), trained_on) if len(labelled) > 1 else None,
    )


def _cross_fitted(parts: Sequence[LabelledPixels]) -> list[Scored]:
    """Return each part with the temperature of the others, at most MOST_PARTS temperatures; none of a single part."""
    groups = min(len(parts), MOST_PARTS)
    if groups < 2:
        return []
    others = [[part for number, part in enumerate(parts) if number % groups != left_out] for left_out in range(groups)]
    temperatures = [fit_temperature(rest) for rest in others]
    return [(part, temperatures[number % groups]) for number, part in enumerate(parts)]


def _unseen(scenes: Mapping[str, Scored], trained_on: Collection[str]) -> UnseenScenes | None:
    """Return the calibration errors of the scenes without training tiles and with enough pixels; None without any."""
    chosen = [
        (pixels, temperature)
        for scene, (pixels, temperature) in scenes.items()
        if scene not in trained_on and len(pixels.truth) >= ENOUGH_PX
    ]
    if not chosen:
        return None
    before = [_scores([(pixels, 1.0)])[0] for pixels, _ in chosen]
    after = [_scores([scored])[0] for scored in chosen]
    return UnseenScenes(
        scenes=len(chosen), ece_before=float(np.mean(before)), ece_mean=float(np.mean(after)), ece_worst=max(after)
    )


def confidence_record(tiles: Sequence[LabelledPixels], temperature: float) -> ConfidenceRecord:
    """Return how many of the pixels are right, by mapped class and confidence."""
    pixels = _pooled(tiles)
    mapped = most_probable(stored_probability(torch.from_numpy(pixels.logits), temperature))
    classes, bins = len(pixels.logits), len(CONFIDENCE_FROM_PCT)
    percent = mapped.probability * (100 / PROBABILITY_ONE)
    cell = mapped.index.astype(np.intp) * bins + np.searchsorted(CONFIDENCE_FROM_PCT, percent, side="right") - 1
    right = mapped.index == pixels.truth
    counts, correct = (
        np.bincount(cell[chosen], minlength=classes * bins).reshape(classes, bins).tolist()
        for chosen in (np.ones_like(right), right)
    )
    return ConfidenceRecord.model_validate({"px": counts, "correct": correct})


def _scores(parts: Sequence[Scored]) -> tuple[float, float]:
    """Return calibration error and mean NLL over all pixels, each part with its own temperature."""
    counts, nll, px = Calibration.empty(), 0.0, 0
    for pixels, temperature in parts:
        probability = stored_probability(torch.from_numpy(pixels.logits), temperature)
        counts += calibration(pixels.truth, most_probable(probability))
        nll += mean_nll(pixels, temperature) * len(pixels.truth)
        px += len(pixels.truth)
    return expected_calibration_error(counts), nll / px


def _labelled_pixels(logits: Tensor, target: Tensor, stride: int) -> LabelledPixels:
    """Return every `stride`-th labelled pixel of a tile, row by row, on the CPU."""
    chosen = torch.nonzero(target.flatten() != IGNORE_INDEX).flatten()[::stride]
    truth = target.flatten()[chosen].to(torch.uint8)
    return LabelledPixels(logits.flatten(1)[:, chosen].float().cpu().numpy(), truth.cpu().numpy())


def _pooled(tiles: Sequence[LabelledPixels]) -> LabelledPixels:
    return LabelledPixels(np.concatenate([t.logits for t in tiles], axis=1), np.concatenate([t.truth for t in tiles]))


def _log_temperature(found: Temperature) -> None:
    if found.fit is None:
        return
    after = found.fit.ece_after
    log.info(
        "temperature %.3f from %d pixels of %d tiles in %d scenes: calibration error %.4f before, %s after",
        *(found.value, found.fit.pixels, found.fit.tiles, found.fit.scenes, found.fit.ece_before),
        "unknown (only one tile has labels)" if after is None else f"{after:.4f}",
    )
    unseen = found.fit.unseen
    if unseen is not None:
        log.info(
            "calibration error on left-out scenes: %.4f on average before; %.4f after, %.4f at worst",
            *(unseen.ece_before, unseen.ece_mean, unseen.ece_worst),
        )
        if unseen.scenes > 1 and unseen.ece_mean > unseen.ece_before + HARMFUL_ECE:
            log.warning(
                "the temperature increases the calibration error on left-out scenes; without it confidences may be "
                "better elsewhere (training.calibrate: false)"
            )
    lowest, highest = TEMPERATURE_RANGE
    if min(found.value / lowest, highest / found.value) < NEAR_BOUND_FACTOR:
        log.warning(
            "temperature %.3f is at a limit of its range, %g to %g; check the training and the labels of the "
            "validation tiles",
            *(found.value, lowest, highest),
        )
