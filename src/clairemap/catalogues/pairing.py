"""Pairs of optical and SAR items: by overlap and the days between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from clairemap.catalogues.item import Item
from clairemap.console import progress
from clairemap.grid.outline import equal_area


@dataclass(frozen=True)
class Pair:
    """An optical item with its SAR item, the share of the optical footprint in SAR, and the days between them."""

    optical: Item
    sar: Item
    overlap: float
    days: float


@dataclass(frozen=True)
class Alone:
    """An optical item without a partner, and the reason as a phrase."""

    optical: Item
    reason: str


@dataclass(frozen=True)
class Limits:
    """Smallest share of the optical footprint that SAR covers (0 to 1), and largest number of days between them."""

    min_overlap: float
    max_days: float


def paired(optical: Sequence[Item], sar: Sequence[Item], limits: Limits) -> tuple[list[Pair], list[Alone]]:
    """Return one pair for each optical item, and the optical items without a partner, both ordered by time.

    The partner is the SAR item, within the limits, with the largest overlap in whole percent; of several, the one with
    the fewest days to the optical item; of several, the earliest. A SAR item may be the partner of several.
    """
    images = _Images(sar)
    pairs, alone = [], []
    for item in progress(sorted(optical), "optical items with their partners", len(optical)):
        near = images.overlapping(item, 0, limits.max_days)
        fitting = [pair for pair in near if pair.overlap >= limits.min_overlap]
        if fitting:
            pairs.append(min(fitting, key=lambda pair: (-round(100 * pair.overlap), pair.days, pair.sar)))
        elif near:
            alone.append(Alone(item, _too_little(near, limits)))
        else:
            alone.append(Alone(item, _too_far(images.overlapping(item, limits.max_days, math.inf))))
    return pairs, alone


class _Images:
    """SAR items with an index of their footprints."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._shapes = np.array([equal_area(item.footprint) for item in items], object)
        self._tree = shapely.STRtree(self._shapes)

    def overlapping(self, optical: Item, min_days: float, max_days: float) -> list[Pair]:
        """Return the pairs of an optical item with all items that overlap and are a number of days away."""
        shape = equal_area(optical.footprint)
        touching = ((index, optical.days_to(self._items[index])) for index in self._tree.query(shape, "intersects"))
        near = [(index, days) for index, days in touching if min_days <= days <= max_days]
        areas = shapely.area(shapely.intersection(shape, self._shapes[[index for index, _ in near]]))
        pairs = [
            Pair(optical, self._items[index], float(area / shape.area), days)
            for (index, days), area in zip(near, areas, strict=True)
        ]
        return [pair for pair in pairs if pair.overlap > 0]


def _too_little(near: list[Pair], limits: Limits) -> str:
    best = max(near, key=lambda pair: pair.overlap)
    return (
        f"SAR items within {limits.max_days:g} days cover at most {100 * best.overlap:.0f} % of it ({best.sar.id}, "
        f"{best.days:.1f} days away)"
    )


def _too_far(far: list[Pair]) -> str:
    if not far:
        return "no SAR item overlaps"
    best = min(far, key=lambda pair: pair.days)
    return f"the SAR item closest in time, {best.sar.id}, is {best.days:.1f} days away"
