"""Pairs of optical and SAR items: by overlap and the days between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from clairemap.catalogues.item import Item
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
    shapes = [equal_area(item.footprint) for item in sar]
    tree = shapely.STRtree(shapes)
    pairs, alone = [], []
    for item in sorted(optical):
        shape = equal_area(item.footprint)
        candidates = [
            Pair(item, sar[index], shape.intersection(shapes[index]).area / shape.area, item.days_to(sar[index]))
            for index in tree.query(shape, "intersects")
        ]
        fitting = [pair for pair in candidates if _fits(pair, limits)]
        if fitting:
            pairs.append(min(fitting, key=lambda pair: (-round(100 * pair.overlap), pair.days, pair.sar)))
        else:
            alone.append(Alone(item, _reason(candidates, limits)))
    return pairs, alone


def _fits(pair: Pair, limits: Limits) -> bool:
    return pair.overlap >= limits.min_overlap and pair.days <= limits.max_days


def _reason(candidates: list[Pair], limits: Limits) -> str:
    """Return why none of the SAR items that touch an optical item is its partner."""
    touching = [pair for pair in candidates if pair.overlap > 0]
    if not touching:
        return "no SAR item overlaps"
    near = [pair for pair in touching if pair.days <= limits.max_days]
    if not near:
        best = min(touching, key=lambda pair: pair.days)
        return f"the SAR item closest in time, {best.sar.id}, is {best.days:.1f} days away"
    best = max(near, key=lambda pair: pair.overlap)
    return (
        f"SAR items within {limits.max_days:g} days cover at most {100 * best.overlap:.0f} % of it ({best.sar.id}, "
        f"{best.days:.1f} days away)"
    )
