"""Selection of the tiles that the page shows."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from clairemap.artefacts.explanations import ExplainedTile
from clairemap.artefacts.tiles import TileId
from clairemap.levels import GOOD_ACCURACY_PCT, HIGH_CONFIDENCE_PCT, MOSTLY_ONE_SENSOR_PCT
from clairemap.tiles.sampling import spread_evenly

VARIED_PCT = 75.0
"""Maximum share of the largest class in a varied tile."""

RULE = (
    "Tiles are selected by these rules in order, without duplicates: "
    f"lowest overall accuracy (below {GOOD_ACCURACY_PCT} %); "
    "least accurate class (fair or poor agreement with the labels); "
    f"lowest mean confidence (below {HIGH_CONFIDENCE_PCT} %); "
    f"mostly one sensor (weight at least {MOSTLY_ONE_SENSOR_PCT} %); "
    f"most varied land cover (no class above {VARIED_PCT:.0f} %). "
    "If these are too few, evenly spaced tiles that match no rule are added, without a mark."
)


class Ranked(Protocol):
    """A tile with its `ranks`."""

    @property
    def id(self) -> TileId:
        """The tile."""

    @property
    def ranks(self) -> tuple[float, ...]:
        """Its place by each rule."""


@dataclass(frozen=True)
class SelectedTile:
    """A tile, and the rule that selected it."""

    id: TileId
    reason: str


@dataclass(frozen=True)
class _Ranking:
    reason: str
    key: Callable[[ExplainedTile], float]  # lowest first; infinite: excluded


def ranks(tile: ExplainedTile) -> tuple[float, ...]:
    """Return the figure of a tile by which each rule sorts, lowest first; infinite if the rule excludes it."""
    return tuple(rank.key(tile) for rank in _RANKINGS)


def select_tiles(tiles: Sequence[Ranked], count: int) -> list[SelectedTile]:
    """Return up to `count` tiles selected by RULE, sorted by scene, row and column.

    Of equal tiles the first in that order is selected. If all tiles fit, `reason` is empty.
    """
    ordered = sorted(tiles, key=lambda tile: tile.id)
    if len(ordered) <= count:
        return [SelectedTile(tile.id, "") for tile in ordered]
    queues = [(rank.reason, _queue(ordered, number)) for number, rank in enumerate(_RANKINGS)]
    chosen: dict[TileId, SelectedTile] = {}
    while any(queue for _, queue in queues) and len(chosen) < count:
        for why, queue in queues:
            while queue and queue[0].id in chosen:
                queue.pop(0)
            if queue and len(chosen) < count:
                tile = queue.pop(0)
                chosen[tile.id] = SelectedTile(tile.id, why)
    others = [tile for tile in ordered if tile.id not in chosen]
    chosen |= {tile.id: SelectedTile(tile.id, "") for tile in spread_evenly(others, count - len(chosen))}
    return [chosen[tile] for tile in sorted(chosen)]


def _queue(tiles: Sequence[Ranked], rule: int) -> list[Ranked]:
    return sorted((tile for tile in tiles if math.isfinite(tile.ranks[rule])), key=lambda tile: tile.ranks[rule])


def _low_accuracy(tile: ExplainedTile) -> float:
    oa_pct = tile.facts.oa_pct
    return math.inf if oa_pct is None or oa_pct >= GOOD_ACCURACY_PCT else float(oa_pct)


def _worst_class(tile: ExplainedTile) -> float:
    worst = tile.facts.worst
    return math.inf if worst is None or worst.iou is None else worst.iou


def _low_confidence(tile: ExplainedTile) -> float:
    confidence_pct = tile.facts.confidence_pct
    return math.inf if confidence_pct >= HIGH_CONFIDENCE_PCT else float(confidence_pct)


def _one_sensor(tile: ExplainedTile) -> float:
    weight_pct = max(tile.facts.optical_share_pct, 100 - tile.facts.optical_share_pct)
    return math.inf if weight_pct < MOSTLY_ONE_SENSOR_PCT else -float(weight_pct)


def _evenness(tile: ExplainedTile) -> float:
    """Return the negative entropy of the classes' shares; infinite if one class exceeds VARIED_PCT."""
    if max((c.area_pct for c in tile.facts.classes), default=100.0) > VARIED_PCT:
        return math.inf
    shares = [c.area_pct / 100 for c in tile.facts.classes if c.area_pct > 0]
    return sum(share * math.log(share) for share in shares)


_RANKINGS = (
    _Ranking("lowest accuracy", _low_accuracy),
    _Ranking("least accurate class", _worst_class),
    _Ranking("lowest confidence", _low_confidence),
    _Ranking("mostly one sensor", _one_sensor),
    _Ranking("most varied", _evenness),
)
