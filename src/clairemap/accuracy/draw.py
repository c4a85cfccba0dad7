"""Drawing of pixels from strata at random, in one order for each seed, so that a larger sample has the smaller one.

Each pixel has a pseudo-random priority that depends on the seed and its position only. The sample of a stratum are its
pixels of lowest priority (bottom-k sampling), a simple random sample without replacement.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from clairemap.grid.window import Window

OUTSIDE = -1
"""Stratum of pixels that are not sampled."""

ROWS_AT_ONCE = 32
"""Rows whose priorities are computed at once, so that they stay in the processor's cache."""

SURPLUS_DEVIATIONS = 8
"""Candidates are collected up to a priority that gives enough of them, by this many standard deviations."""

CANDIDATES_FOR_A_DISTANCE = 4
"""Candidates collected for each unit if units must have a distance."""

StratumWindows = Callable[[], Iterable[tuple[Window, NDArray[np.int32]]]]
"""Yields the windows of a map with the stratum of each pixel, (y, x), or `OUTSIDE`; called once per pass."""


@dataclass(frozen=True)
class DrawnUnits:
    """Drawn pixels, sorted by stratum, then by priority: row and column, stratum and rank in it, all (unit,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    strata: NDArray[np.int64]
    ranks: NDArray[np.int64]


class TooFewPixelsError(ValueError):
    """A stratum has fewer pixels at the wanted distance than units."""

    def __init__(self, stratum: int, found: int, wanted: int) -> None:
        """Describe the stratum."""
        super().__init__(f"stratum {stratum}: {found} of {wanted} units")
        self.stratum, self.found, self.wanted = stratum, found, wanted


def draw(
    windows: StratumWindows,
    pixels: NDArray[np.int64],
    units: NDArray[np.int64],
    *,
    width: int,
    seed: int,
    distance_px: float = 0,
) -> DrawnUnits:
    """Return a simple random sample of pixels from each stratum.

    Reads the map once; memory does not depend on its size.

    Args:
        windows: the map, in windows.
        pixels: pixels of each stratum, (stratum,).
        units: units to draw from each stratum, at most its pixels, (stratum,).
        width: width of the map in pixels.
        seed: seed of the order.
        distance_px: least distance between units of a stratum. Pixels near an accepted unit are passed over, which
            changes the chances of single pixels slightly.

    Raises:
        TooFewPixelsError: a stratum has fewer units with this distance.
    """
    limits = _priority_limits(pixels, units * (CANDIDATES_FOR_A_DISTANCE if distance_px > 0 else 1))
    found = [
        np.concatenate(parts)
        for parts in zip(
            *(_candidates(window, strata, limits, width, seed) for window, strata in windows()), strict=True
        )
    ] or [np.zeros(0, np.int64)] * 3
    position, strata, priority = found
    order = np.lexsort((priority, strata))
    position, strata = position[order], strata[order]
    kept = np.concatenate(
        [
            _first(np.flatnonzero(strata == stratum), position, width, int(count), distance_px, stratum)
            for stratum, count in enumerate(units)
        ]
    )
    ranks = np.concatenate([np.arange(count) for count in units])
    return DrawnUnits(position[kept] // width, position[kept] % width, strata[kept], ranks)


def _first(
    members: NDArray[np.intp], position: NDArray[np.int64], width: int, count: int, distance_px: float, stratum: int
) -> NDArray[np.intp]:
    """Return the first members of a stratum, in order of priority, that keep their distance."""
    if distance_px > 0 and len(members):
        points = np.column_stack([position[members] // width, position[members] % width]).astype(np.float64)
        members = members[_spaced(points, distance_px)]
    if len(members) < count:
        raise TooFewPixelsError(stratum, len(members), count)
    return members[:count]


def _spaced(points: NDArray[np.float64], distance: float) -> NDArray[np.bool_]:
    """Return which points are accepted, one after the other, at a distance from those accepted before, (point,)."""
    accepted = np.ones(len(points), np.bool_)
    pairs = cKDTree(points).query_pairs(np.nextafter(distance, 0), output_type="ndarray")
    for first, second in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]:
        accepted[second] &= not accepted[first]
    return accepted


def _priority_limits(pixels: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the priority below which a stratum has enough candidates with near certainty, (stratum,)."""
    wanted = units + SURPLUS_DEVIATIONS * np.sqrt(units) + SURPLUS_DEVIATIONS**2
    share = np.minimum(wanted / np.maximum(pixels, 1), 1)
    below_one = np.minimum(share, np.nextafter(1, 0))
    limits = (below_one * 2.0**64).astype(np.uint64)
    limits[share >= 1] = np.iinfo(np.uint64).max
    return np.asarray(limits, np.uint64)


def _candidates(
    window: Window, strata: NDArray[np.int32], limits: NDArray[np.uint64], width: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Return position, stratum and priority of a window's pixels below their stratum's limit."""
    parts = [_candidates_of_rows(*rows, limits, width, seed) for rows in _row_blocks(window, strata)]
    position, of_strata, priority = (np.concatenate(part) for part in zip(*parts, strict=True))
    return position, of_strata, priority


def _row_blocks(window: Window, strata: NDArray[np.int32]) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    for start in range(0, window.height, ROWS_AT_ONCE):
        yield window.y0 + start, window.x0, strata[start : start + ROWS_AT_ONCE]


def _candidates_of_rows(
    y0: int, x0: int, strata: NDArray[np.int32], limits: NDArray[np.uint64], width: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    rows = np.arange(y0, y0 + strata.shape[0], dtype=np.int64)
    columns = np.arange(x0, x0 + strata.shape[1], dtype=np.int64)
    position = rows[:, None] * width + columns
    priority = priorities(position, seed)
    # Index -1, OUTSIDE, is the limit 0 at the end.
    below = np.nonzero(priority < np.append(limits, np.uint64(0))[strata])
    return position[below], strata[below].astype(np.int64), priority[below]


def priorities(position: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a uniform pseudo-random number of 64 bits for each position (row * width + column).

    The generator is SplitMix64 with the position as its counter: Steele, Lea and Flood 2014, "Fast splittable
    pseudorandom number generators", OOPSLA.
    """
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        value = position.astype(np.uint64)
        value *= np.uint64(0x9E3779B97F4A7C15)
        value += start
        value ^= value >> np.uint64(30)
        value *= np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(27)
        value *= np.uint64(0x94D049BB133111EB)
        value ^= value >> np.uint64(31)
    return np.asarray(value, np.uint64)
