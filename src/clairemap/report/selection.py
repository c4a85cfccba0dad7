"""Which tiles the page shows when it can't show all."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clairemap.report.content import ToldTile

RULE = (
    "Shown are, taken in turn, the tiles with the lowest overall accuracy (where there are labels), the tiles with "
    "the lowest mean confidence, the tiles that rest most on one sensor alone, and the tiles with the most varied "
    "land cover; no tile twice."
)


@dataclass(frozen=True)
class Chosen:
    """A tile, and which of the rules chose it."""

    tile: ToldTile
    why: str


@dataclass(frozen=True)
class _Ranking:
    why: str
    key: Callable[[ToldTile], float]  # lowest first; infinite: not to be chosen by this rule


def choose(tiles: Sequence[ToldTile], count: int) -> list[Chosen]:
    """Return up to `count` tiles by RULE, sorted by scene, row and column; ties go to the first in that order.

    Where that is all of them nothing was chosen, and `why` is empty.
    """
    ordered = sorted(tiles, key=_place)
    if len(ordered) <= count:
        return [Chosen(tile, "") for tile in ordered]
    queues = [(rank.why, _queue(ordered, rank)) for rank in _RANKINGS]
    chosen: dict[tuple[str, int, int], Chosen] = {}
    while any(queue for _, queue in queues) and len(chosen) < count:
        for why, queue in queues:
            while queue and _place(queue[0]) in chosen:
                queue.pop(0)
            if queue and len(chosen) < count:
                tile = queue.pop(0)
                chosen[_place(tile)] = Chosen(tile, why)
    return [chosen[place] for place in sorted(chosen)]


def _place(tile: ToldTile) -> tuple[str, int, int]:
    return tile.scene, tile.row, tile.col


def _queue(tiles: Sequence[ToldTile], rank: _Ranking) -> list[ToldTile]:
    return sorted((tile for tile in tiles if math.isfinite(rank.key(tile))), key=rank.key)


def _accuracy(tile: ToldTile) -> float:
    return math.inf if tile.facts.oa_pct is None else float(tile.facts.oa_pct)


def _evenness(tile: ToldTile) -> float:
    """Return the negative entropy of the classes' shares."""
    shares = [c.area_pct / 100 for c in tile.facts.classes if c.area_pct > 0]
    return sum(share * math.log(share) for share in shares)


_RANKINGS = (
    _Ranking("lowest accuracy", _accuracy),
    _Ranking("lowest confidence", lambda tile: float(tile.facts.confidence_pct)),
    _Ranking("rests most on one sensor", lambda tile: -abs(tile.facts.optical_share_pct - 50.0)),
    _Ranking("most varied", _evenness),
)
