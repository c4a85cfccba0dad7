"""Reasons for the map of a tile, from its arrays and the model's card."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.model_card import ConfidenceRecord, ModelCard
from clairemap.artefacts.tile_reasons import (
    ClassReasons,
    Deviation,
    MayBeMissed,
    TileReasons,
    TrackRecord,
    WithoutSensor,
)
from clairemap.classes import PROBABILITY_ONE
from clairemap.explain.deviations import SensorValues, shifted_bands, unusual_for_class
from clairemap.explain.pattern import pattern
from clairemap.explain.rivals import RunnerUp, may_be_missed, runner_ups
from clairemap.raster.histogram import histogram
from clairemap.raster.most_probable import MostProbable, most_probable
from clairemap.settings import Sensor
from clairemap.validity import Mask

MIN_CLASS_PX = 100
"""Least number of mapped pixels of a class for which reasons are given."""

MIN_RECORD_PX = 200
"""Least number of validation pixels of a track record."""


@dataclass(frozen=True)
class MappedTile:
    """Arrays of a tile with at least one mapped pixel.

    Attributes:
        probability: (class, y, x) in 1/255; 0 in all classes where nothing is mapped.
        optical_share: (y, x) in percent.
        sensors: values of the sensors.
        without: classes (y, x) that the network maps without a sensor, by this sensor; empty if not computed.
    """

    probability: NDArray[np.uint8]
    optical_share: NDArray[np.uint8]
    sensors: tuple[SensorValues, ...]
    without: dict[Sensor, NDArray[np.uint8]]


def tile_reasons(tile: MappedTile, card: ModelCard, names: Sequence[str]) -> TileReasons:
    """Return the reasons for the map of a tile.

    Args:
        tile: its arrays.
        card: of the model that mapped it.
        names: class names, in index order.
    """
    mapped = most_probable(tile.probability)
    class_px = histogram(mapped.index)[: len(names)]
    rivals = runner_ups(tile.probability, mapped)
    seen = pattern(mapped.index)
    largest_first = [int(index) for index in np.argsort(-class_px, kind="stable")]
    classes = tuple(
        _class_reasons(tile, index, mapped, rivals[index], card, names)
        for index in largest_first
        if class_px[index] >= MIN_CLASS_PX
    )
    return TileReasons(
        classes=classes,
        edge_pct=round(100 * seen.edges),
        isolated_pct=round(100 * seen.isolated),
        may_be_missed=tuple(
            MayBeMissed(name=names[index], mapped_pct=_rounded(100 * has), expected_pct=round(100 * expected, 1))
            for index, has, expected in may_be_missed(tile.probability, class_px)
        ),
        shifted=_shifted(tile.sensors, card, classes),
        calibration_scenes=card.calibration.scenes if card.calibration else None,
        unseen=card.calibration.unseen if card.calibration else None,
    )


def _rounded(pct: float) -> float:
    """Return a percentage with one decimal, or with two digits: 0 only if it is 0."""
    return max(round(pct, 1), float(f"{pct:.2g}") if pct < 0.1 else 0)


def _shifted(
    sensors: Sequence[SensorValues], card: ModelCard, classes: Sequence[ClassReasons]
) -> tuple[Deviation, ...]:
    """Return the bands that are unusual among all training pixels, and for the largest class too.

    A tile of water is dark among all pixels, but not unusual. None if scenes are normalised by their own moments, since
    the network does not see such differences.
    """
    if card.normalisation == "scene":
        return ()
    scales = {"optical": card.optical_bands, "sar": card.sar_bands}
    found = [each for values in sensors for each in shifted_bands(values, scales[values.sensor])]
    largest = next((c for c in classes if c.compared), None)
    if largest is not None:
        unusual = {(each.sensor, each.quantity) for each in largest.unusual}
        found = [each for each in found if (each.sensor, each.quantity) in unusual]
    return _largest_first(found)


def _class_reasons(
    tile: MappedTile,
    index: int,
    mapped: MostProbable[np.uint8],
    rival: RunnerUp,
    card: ModelCard,
    names: Sequence[str],
) -> ClassReasons:
    here = mapped.index == index
    unusual = _unusual(tile.sensors, here, index, card)
    confidence = float(mapped.probability[here].mean()) / PROBABILITY_ONE
    return ClassReasons(
        name=names[index],
        px=int(np.count_nonzero(here)),
        optical_share_pct=round(float(tile.optical_share[here].mean())),
        runner_up=names[rival.index],
        margin_pct=round(100 * rival.margin),
        compared=unusual is not None,
        unusual=_largest_first(unusual or []),
        record=_track_record(card.confidence_record, index, 100 * confidence),
        without=tuple(_without(sensor, index, found[here], names) for sensor, found in sorted(tile.without.items())),
    )


def _unusual(sensors: Sequence[SensorValues], here: Mask, index: int, card: ModelCard) -> list[Deviation] | None:
    """Return the unusual quantities of both sensors; None if neither could be compared."""
    if card.signatures is None:
        return None
    known = {"optical": card.signatures.optical, "sar": card.signatures.sar}
    found = [unusual_for_class(values, here, index, known[values.sensor]) for values in sensors]
    compared = [each for each in found if each is not None]
    return [deviation for each in compared for deviation in each] if compared else None


def _largest_first(deviations: Sequence[Deviation]) -> tuple[Deviation, ...]:
    return tuple(sorted(deviations, key=lambda each: -abs(each.deviations)))


def _track_record(known: ConfidenceRecord | None, index: int, confidence_pct: float) -> TrackRecord | None:
    if known is None:
        return None
    bin_ = int(np.searchsorted(known.from_pct, confidence_pct, side="right")) - 1
    px = known.px[index][bin_]
    if px < MIN_RECORD_PX:
        return None
    ends = (*known.from_pct[1:], 100)
    return TrackRecord(
        from_pct=known.from_pct[bin_], to_pct=ends[bin_], right_pct=round(100 * known.correct[index][bin_] / px), px=px
    )


def _without(sensor: Sensor, index: int, found: NDArray[np.uint8], names: Sequence[str]) -> WithoutSensor:
    """Return what is mapped without a sensor in a class's pixels; `found` (pixel,) are the classes then.

    Pixels that are unmapped without the sensor count as unchanged: they say nothing about the classes.
    """
    counts = histogram(found)[: len(names)].copy()
    counts[index] = 0
    other = int(counts.argmax())
    changed = int(counts.sum())
    return WithoutSensor(
        sensor=sensor,
        changed_pct=round(100 * changed / len(found)),
        instead=names[other] if changed else None,
        instead_pct=round(100 * int(counts[other]) / len(found)),
    )
