"""Statistics of the values read from a file: counts, extremes and a sample of each band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_PX = 2**18
"""Maximum number of values kept per band."""

BLOCK_SAMPLE_PX = 2**10
"""Number of values kept per block, before thinning."""


@dataclass(frozen=True)
class Extremes:
    """The lowest and highest value, their counts, and the values next to them (infinite if there is none)."""

    lowest: float
    lowest_px: int
    next_lowest: float
    highest: float
    highest_px: int
    next_highest: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Extremes":
        """Return the extremes of values (any shape, not empty)."""
        low, high = values.min(), values.max()
        rest, below = values[values > low], values[values < high]
        return cls(
            float(low),
            int(np.count_nonzero(values == low)),
            float(rest.min()) if rest.size else np.inf,
            float(high),
            int(np.count_nonzero(values == high)),
            float(below.max()) if below.size else -np.inf,
        )

    def __add__(self, other: "Extremes") -> "Extremes":
        """Return the extremes of the union of both sets of values."""
        lowest, highest = min(self.lowest, other.lowest), max(self.highest, other.highest)
        above = (self.lowest, self.next_lowest, other.lowest, other.next_lowest)
        below = (self.highest, self.next_highest, other.highest, other.next_highest)
        return Extremes(
            lowest,
            sum(side.lowest_px for side in (self, other) if side.lowest == lowest),
            min((value for value in above if value > lowest), default=np.inf),
            highest,
            sum(side.highest_px for side in (self, other) if side.highest == highest),
            max((value for value in below if value < highest), default=-np.inf),
        )


class BandCensus:
    """Counts of a band's valid values; pixels read twice count twice."""

    def __init__(self, low: float, high: float) -> None:
        """Start with all counts 0; values below `low` or above `high` count as outside."""
        self.low, self.high = low, high
        self.px = self.outside_px = self.negative_px = self.zero_px = 0
        self.extremes: Extremes | None = None
        self._sample: list[NDArray[np.float32]] = []
        self._sample_px = 0
        self._step = 1

    def add(self, values: NDArray[Any]) -> None:
        """Count values (pixel,) without NaN."""
        if not values.size:
            return
        outside = int(np.count_nonzero((values < self.low) | (values > self.high)))
        self.px += values.size
        self.outside_px += outside
        self.negative_px += int(np.count_nonzero((values < 0) & (values >= self.low)))
        self.zero_px += int(np.count_nonzero(values == 0))
        seen = Extremes.of(values)
        self.extremes = seen if self.extremes is None else self.extremes + seen
        some = values[:: max(1, values.size // BLOCK_SAMPLE_PX) * self._step].astype(np.float32)
        self._sample.append(some)
        self._sample_px += some.size
        if self._sample_px > SAMPLE_PX:
            self._sample = [np.concatenate(self._sample)[::2]]
            self._sample_px = self._sample[0].size
            self._step *= 2

    @property
    def sample(self) -> NDArray[np.float32]:
        """A sample (pixel,) of the values, spread over all that were read."""
        return np.concatenate(self._sample) if self._sample else np.empty(0, np.float32)


class Census:
    """Counts of the values read from a file, by band, in bounded memory."""

    def __init__(self, low: float = -np.inf, high: float = np.inf) -> None:
        """Start with all counts 0; `low` and `high` are the limits of plausible values."""
        self._range = low, high
        self.bands: dict[int, BandCensus] = {}

    def add(self, values: NDArray[Any], valid: NDArray[np.bool_], indexes: Sequence[int]) -> None:
        """Count values (band, y, x) at the valid pixels (y, x); `indexes` are the 1-based bands of the file."""
        whole = bool(valid.all())
        for index, band in zip(indexes, values, strict=True):
            counted = self.bands.setdefault(index, BandCensus(*self._range))
            counted.add(band.ravel() if whole else band[valid])

    @property
    def px(self) -> int:
        """Number of values counted in all bands."""
        return sum(band.px for band in self.bands.values())

    def total(self, count: str) -> int:
        """Return the sum of a count of `BandCensus`, by name, over all bands."""
        return sum(getattr(band, count) for band in self.bands.values())

    @property
    def sample(self) -> NDArray[np.float32]:
        """A sample (pixel,) of the values of all bands."""
        return np.concatenate([band.sample for band in self.bands.values()] or [np.empty(0, np.float32)])

    @property
    def extremes(self) -> tuple[float, float]:
        """The lowest and highest value of all bands; requires at least one counted value."""
        seen = [band.extremes for band in self.bands.values() if band.extremes is not None]
        return min(each.lowest for each in seen), max(each.highest for each in seen)
