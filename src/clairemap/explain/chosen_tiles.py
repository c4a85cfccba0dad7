"""Choice of the tiles whose texts the language model writes."""

from collections.abc import Sequence

from clairemap.artefacts.explanations import TileFacts
from clairemap.settings import ExplainSettings
from clairemap.tiles.sampling import spread_evenly


def chosen_tiles(tiles: Sequence[TileFacts], settings: ExplainSettings) -> frozenset[int]:
    """Return the positions of the tiles chosen by ``explain.tiles``; of equal tiles the first.

    Args:
        tiles: the facts of a scene's tiles, in tile order.
        settings: rule and number.
    """
    places = range(len(tiles))
    count = settings.max_tiles
    if settings.tiles == "all" or count is None:
        return frozenset(places)
    if settings.tiles == "sample":
        return frozenset(spread_evenly(places, count))
    key = _uncertainty if settings.tiles == "uncertain" else _error
    return frozenset(sorted(places, key=lambda place: key(tiles[place]))[:count])


def _uncertainty(facts: TileFacts) -> tuple[float, ...]:
    return (facts.confidence_pct,)


def _error(facts: TileFacts) -> tuple[float, ...]:
    """Sort by the worst IoU, then by overall accuracy; tiles without accuracy come last, the least confident first."""
    if facts.oa_pct is None:
        return 1, 0, 0, facts.confidence_pct
    return 0, min((c.iou for c in facts.classes if c.iou is not None), default=1.0), facts.oa_pct, facts.confidence_pct
