"""Computes the facts of a tile from its arrays and counts."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.explanations import (
    MIN_SHARE_PCT,
    SOME_CLOUDS_PCT,
    ClassFacts,
    Confused,
    SensorUse,
    TileFacts,
)
from clairemap.artefacts.registration import Verdict
from clairemap.classes import IGNORE_INDEX, PROBABILITY_ONE, SHARE_NODATA, Legend
from clairemap.levels import MOSTLY_ONE_SENSOR_PCT
from clairemap.metrics.confusion import Confusion
from clairemap.metrics.scores import MIN_TRUTH_PX, scores
from clairemap.raster.histogram import histogram
from clairemap.raster.most_probable import most_probable

MIN_CONFUSION_PCT = 5
CONFUSIONS = 2


@dataclass(frozen=True)
class TileSums:
    """Sums over a tile's mapped pixels: pixels and confidence (0..1) of each class, optical share (percent)."""

    class_px: NDArray[np.int64]
    class_confidence: NDArray[np.float64]
    optical_share: float

    @property
    def mapped_px(self) -> int:
        """Number of mapped pixels."""
        return int(self.class_px.sum())


@dataclass(frozen=True)
class TilePixels:
    """Pixel counts of a tile: all, usable per sensor, cloudy.

    `cloud_unknown` counts optical pixels without a cloud mask.
    """

    all: int
    optical: int
    sar: int
    cloud: int
    cloud_unknown: int = 0

    @property
    def cloud_pct(self) -> int | None:
        """Percentage of cloudy pixels; None if unknown."""
        if not self.cloud and (self.optical == 0 or self.cloud_unknown_pct >= SOME_CLOUDS_PCT):
            return None
        return round(100 * self.cloud / self.all)

    @property
    def cloud_unknown_pct(self) -> int:
        """Percentage of optical pixels without a cloud mask."""
        return round(100 * self.cloud_unknown / self.all)


def sum_tile(probability: NDArray[np.uint8], optical_share: NDArray[np.uint8]) -> TileSums:
    """Return the sums of one tile.

    Args:
        probability: (class, y, x) in 1/255; 0 in all classes where nothing is mapped.
        optical_share: (y, x) in percent; 255 where nothing is mapped.
    """
    mapped = most_probable(probability)
    index = mapped.index.ravel()
    px = histogram(mapped.index)
    confidence = np.bincount(index, weights=mapped.probability.ravel(), minlength=IGNORE_INDEX + 1)
    classes = len(probability)
    shares = optical_share[optical_share != SHARE_NODATA]
    return TileSums(
        px[:classes],
        confidence[:classes] / PROBABILITY_ONE,
        float(shares.sum(dtype=np.int64)),
    )


def tile_facts(
    measured: TileSums,
    pixels: TilePixels,
    registration: Verdict,
    legend: Legend,
    confusion: Confusion | None = None,
    unseen: Collection[int] = (),
) -> TileFacts:
    """Return the facts of a tile with at least one mapped pixel.

    Args:
        measured: sums over the mapped pixels.
        pixels: pixel counts of the whole tile.
        registration: verdict on the scene's registration.
        legend: the classes, in index order.
        confusion: the tile's confusion matrix, if it has labels.
        unseen: indices of the classes without training pixels.
    """
    mapped = measured.mapped_px
    names = names_in_texts(legend)
    share_pct = measured.optical_share / mapped
    nothing = np.zeros((len(legend), len(legend)), np.int64)
    counts = nothing if confusion is None else confusion
    labelled_px = int(counts.sum())
    return TileFacts(
        classes=_class_facts(measured, names, counts),
        confidence_pct=round(100 * float(measured.class_confidence.sum()) / mapped),
        sensor=sensor_use(share_pct, pixels.optical, pixels.sar),
        optical_share_pct=round(share_pct),
        cloud_pct=pixels.cloud_pct,
        cloud_unknown_pct=pixels.cloud_unknown_pct,
        mapped_pct=round(100 * mapped / pixels.all),
        mapped_px=mapped,
        registration=registration,
        oa_pct=_whole_percent(int(np.trace(counts)), labelled_px) if labelled_px >= MIN_TRUTH_PX else None,
        labelled_px=labelled_px,
        confusions=_confusions(counts, names),
        unseen=tuple(names[index] for index in sorted(unseen) if counts[index].any() or measured.class_px[index] > 0),
    )


def sensor_use(optical_share_pct: float, optical_px: int, sar_px: int) -> SensorUse:
    """Return the sensor that the map relies on, from the mean optical weight and each sensor's usable pixels."""
    if sar_px == 0:
        return "optical only"
    if optical_px == 0:
        return "SAR only"
    if optical_share_pct >= MOSTLY_ONE_SENSOR_PCT:
        return "mostly optical"
    return "mostly SAR" if optical_share_pct <= 100 - MOSTLY_ONE_SENSOR_PCT else "both"


def names_in_texts(legend: Legend) -> tuple[str, ...]:
    """Return class names for texts: on one line, otherwise as they are."""
    return tuple(" ".join(c.name.split()) or f"class {c.code}" for c in legend.classes)


def _class_facts(measured: TileSums, names: tuple[str, ...], confusion: Confusion) -> tuple[ClassFacts, ...]:
    figures = scores(confusion).per_class
    scored = {index for index, figure in enumerate(figures) if figure.truth_px >= MIN_TRUTH_PX}
    area_pct = 100 * measured.class_px / measured.mapped_px
    label_pct = 100 * confusion.sum(1) / max(int(confusion.sum()), 1)
    found: list[ClassFacts] = []
    for index in np.argsort(-measured.class_px, kind="stable"):
        pct = round(float(area_pct[index]), 1)
        if found and pct < MIN_SHARE_PCT and index not in scored:
            continue
        found.append(
            ClassFacts(
                name=names[index],
                area_pct=pct,
                mapped_px=int(measured.class_px[index]),
                confidence_pct=_confidence_pct(measured, int(index)),
                iou=round(figures[index].iou, 2) if index in scored else None,
                f1=round(figures[index].f1, 2) if index in scored else None,
                users_pct=_share_pct(confusion[:, index], int(index)) if index in scored else None,
                producers_pct=_share_pct(confusion[index], int(index)) if index in scored else None,
                label_pct=round(float(label_pct[index]), 1),
            )
        )
    return tuple(found)


def _share_pct(pixels: NDArray[np.int64], index: int) -> int | None:
    """Return the share of one class among pixels by class, whole percent; None without pixels."""
    return _whole_percent(int(pixels[index]), int(pixels.sum())) if pixels.any() else None


def _whole_percent(part: int, whole: int) -> int:
    """Return a share as whole percent; 100 only if it is complete."""
    pct = round(100 * part / max(whole, 1))
    return pct - 1 if pct == 100 and part < whole else pct


def _confidence_pct(measured: TileSums, index: int) -> int | None:
    pixels = int(measured.class_px[index])
    return round(100 * float(measured.class_confidence[index]) / pixels) if pixels else None


def _confusions(confusion: Confusion, names: tuple[str, ...]) -> tuple[Confused, ...]:
    """Return the largest confusions of classes with enough labelled pixels."""
    truth_px = confusion.sum(1)
    wrong = confusion - np.diag(np.diagonal(confusion))
    wrong[truth_px < MIN_TRUTH_PX] = 0
    found: list[Confused] = []
    for flat in np.argsort(-wrong.ravel(), kind="stable")[:CONFUSIONS]:
        truth, mapped = (int(index) for index in np.unravel_index(int(flat), wrong.shape))
        pct = _whole_percent(int(wrong[truth, mapped]), int(truth_px[truth]))
        if pct >= MIN_CONFUSION_PCT:
            found.append(Confused(truth=names[truth], mapped=names[mapped], pct=pct))
    return tuple(found)
