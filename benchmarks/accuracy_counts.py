"""Counts of a scored network in blocks of 256 px, and the file that has them."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from accuracy_conditions import CLEAR, Condition
from accuracy_places import event_of
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.outputs import FUSED
from clairemap.settings import View

BLOCK_PX = 256
COMBINED: Final = "combined"
"""View that combines all views of a network."""

ScoredView = View | Literal["combined"]
BINS = 15
TEMPERATURES = tuple(float(each) for each in 2.0 ** np.linspace(-1.5, 3, 19))
"""Temperatures at which confidences are counted, after that of the training."""

ODDS_BINS = 100
ODDS_RANGE = (-7.0, 7.0)
"""Bins of probabilities have equal widths in log odds, from .0009 to .9991; the first and last are open."""

STRIDE = 5
"""Confidences are counted at every fifth labelled pixel."""

Sums = NDArray[np.int64]
"""Correct, labelled and mapped pixels of each class, (…, 3, class)."""


@dataclass(frozen=True)
class Counts:
    """Result of one training: facts about it, blocks, and arrays by name, a row for each block.

    `confusion CONDITION VIEW` (block, class, class), 0 where the block was not scored; `share CONDITION` (block,) mean
    share of optical, NaN without; `bins` (block, temperature, 3, bin): pixels, sum of confidence, correct pixels;
    `nll` (block, temperature): sums in nats; `odds` (block, temperature, 2, bin): probabilities of the label and of all
    classes, in ODDS_BINS.
    """

    about: Mapping[str, Any]
    blocks: tuple[tuple[str, int, int], ...]
    arrays: Mapping[str, NDArray[Any]]

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all."""
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        text = json.dumps({"about": self.about, "blocks": self.blocks})
        np.savez_compressed(part, **{**self.arrays, "text": np.array(text)})  # type: ignore[arg-type]
        part.rename(path)

    @classmethod
    def read(cls, path: Path) -> "Counts":
        """Return the counts in a file."""
        with np.load(path) as file:
            text = json.loads(str(file["text"]))
            arrays = {name: file[name] for name in file.files if name != "text"}
        return cls(text["about"], tuple((scene, row, col) for scene, row, col in text["blocks"]), arrays)

    @cached_property
    def events(self) -> NDArray[np.str_]:
        """Event of each block."""
        return np.array([event_of(scene) for scene, _, _ in self.blocks])

    def confusion(self, condition: Condition = CLEAR, view: ScoredView = FUSED) -> NDArray[np.int64]:
        """Return the confusion matrices of a view of the network; as it is where the view does not see the condition.

        A network of one sensor has only the view of that sensor, which is also its fused view.
        """
        view = self.about["view"] if self.about["view"] != FUSED else view
        seen = condition if view == COMBINED or view in condition.seen_by else CLEAR
        return self.arrays[f"confusion {seen.name} {view}"].astype(np.int64)

    def sums(self, condition: Condition = CLEAR, view: ScoredView = FUSED) -> Sums:
        """Return correct, labelled and mapped pixels in each block."""
        return sums_of(self.confusion(condition, view))

    def share(self, condition: Condition) -> NDArray[np.float64] | None:
        """Return the mean share of optical in each block; None for a network without shares."""
        return self.arrays.get(f"share {condition.name}")

    @property
    def rarest(self) -> int:
        """Class with the fewest training pixels, but at least one."""
        return min((px, index) for index, px in enumerate(self.about["class_px"]) if px)[1]


def sums_of(confusion: NDArray[np.int64]) -> Sums:
    """Return correct, labelled and mapped pixels (…, 3, class) of confusion matrices (…, class, class)."""
    return np.stack([np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(-1), confusion.sum(-2)], -2)


def block_matrices(truth: NDArray[np.uint8], mapped: NDArray[np.uint8], classes: int) -> NDArray[np.int32]:
    """Return the confusion matrix of each block of a window, (row, column, class, class); sides are whole blocks."""
    rows, cols = (side // BLOCK_PX for side in truth.shape)
    number = (np.arange(truth.shape[0]) // BLOCK_PX)[:, None] * cols + np.arange(truth.shape[1]) // BLOCK_PX
    known = truth != IGNORE_INDEX
    key = (number[known] * classes + truth[known]) * classes + mapped[known]
    table = np.bincount(key, minlength=rows * cols * classes * classes)
    return table.reshape(rows, cols, classes, classes).astype(np.int32)


def confidences(logits: NDArray[np.float32], truth: NDArray[np.uint8], trained: float) -> dict[str, NDArray[Any]]:
    """Return `bins`, `nll` and `odds` of a block's labelled pixels, see `Counts`; the first axis is the temperature.

    Args:
        logits: (class, y, x).
        truth: class indices (y, x).
        trained: temperature of the network, the first one.
    """
    chosen = np.flatnonzero(truth != IGNORE_INDEX)[::STRIDE]
    labels = truth.ravel()[chosen].astype(np.intp)
    picked = logits.reshape(len(logits), -1)[:, chosen].astype(np.float64)
    of_label = labels, np.arange(len(labels))
    right = picked.argmax(0) == labels
    bins, nll, odds_bins = [], [], []
    for temperature in (trained, *TEMPERATURES):
        scaled = picked / temperature
        scaled -= scaled.max(0)
        odds = np.exp(scaled)
        total = odds.sum(0)
        confidence = 1 / total  # the largest of the odds is 1
        place = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        bins.append([np.bincount(place, weights, BINS) for weights in (None, confidence, right)])
        nll.append(float((np.log(total) - scaled[of_label]).sum()))
        place = odds_bin(odds, total - odds)
        odds_bins.append([np.bincount(each.ravel(), minlength=ODDS_BINS) for each in (place[of_label], place)])
    return {"bins": np.array(bins, np.float64), "nll": np.array(nll), "odds": np.array(odds_bins, np.int32)}


def odds_bin(probability: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the bin of a class from its probability and that of all others, up to a common factor."""
    with np.errstate(divide="ignore"):
        log_odds = np.log(probability) - np.log(np.maximum(others, 0))
    low, high = ODDS_RANGE
    place = np.floor((log_odds - low) * ((ODDS_BINS - 2) / (high - low))) + 1
    found: NDArray[np.intp] = np.clip(place, 0, ODDS_BINS - 1).astype(np.intp)
    return found


def calibration_error(bins: NDArray[np.float64]) -> float:
    """Return the expected calibration error of (3, bin): pixels, sum of confidence, correct pixels."""
    return float(np.abs(bins[2] - bins[1]).sum() / bins[0].sum())
