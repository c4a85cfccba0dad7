"""What a file's stored numbers mean: which of them stand for nothing, and how the others are scaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.validity import Mask

HUGE = 1e30
"""Nodata values beyond it are met by sign alone: writers give -3.4028234663852886e+38 with fewer digits."""

NODATA_TOLERANCE = 1e-6
"""Relative difference to which a nodata value with a fraction is met, for the same reason."""


@dataclass(frozen=True)
class Reading:
    """How the numbers of a file are to be taken.

    Attributes:
        nodata: a further stored value that means nodata, besides what the file says.
        apply_scale: values are stored number times scale plus offset, where the file has such tags.
        measurable: 0 and the top of an unsigned type can be measured (black and saturated); they mean nodata only
            where all bands hold them. Any other nodata value means it in any band.
        zero_is_data: 0 is data, whatever the nodata tag says.
    """

    nodata: float | None = None
    apply_scale: bool = True
    measurable: bool = True
    zero_is_data: bool = False


AS_STORED = Reading()
"""Nothing said besides what the file says."""


@dataclass(frozen=True)
class Scaling:
    """Scale and offset of each band of a file."""

    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def is_trivial(self) -> bool:
        """Whether stored numbers are the values."""
        return set(self.scales) <= {1.0} and set(self.offsets) <= {0.0}

    def values(self, stored: NDArray[Any], indexes: Sequence[int]) -> NDArray[np.float32]:
        """Return stored bands (band, y, x) of these indexes, counted from 1, as values; computed in float64."""
        out = np.empty(stored.shape, np.float32)
        for place, index in enumerate(indexes):
            out[place] = stored[place] * np.float64(self.scales[index - 1]) + self.offsets[index - 1]
        return out

    def stored(self, value: float, index: int) -> float:
        """Return the stored number of a value of a band."""
        return (value - self.offsets[index - 1]) / self.scales[index - 1]


def is_nodata(stored: NDArray[Any], tags: Sequence[float | None], reading: Reading) -> Mask:
    """Return where (y, x) stored bands (band, y, x) stand for nothing, by the bands' tags and the caller's nodata."""
    anywhere = np.zeros(stored.shape[1:], np.bool_)
    everywhere = np.ones(stored.shape[1:], np.bool_)
    for band, tag in zip(stored, tags, strict=True):
        empty = np.zeros(stored.shape[1:], np.bool_)
        for value in _distinct(tag, reading):
            if reading.measurable and can_be_measured(value, stored.dtype):
                empty |= _holds(band, value)
            else:
                anywhere |= _holds(band, value)
        everywhere &= empty
    return anywhere | everywhere


def can_be_measured(value: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a nodata value can be a measured one as well: 0, and the top of an unsigned type."""
    return value == 0 or (dtype.kind == "u" and value == np.iinfo(dtype).max)


def _distinct(tag: float | None, reading: Reading) -> set[float]:
    given = {value for value in (tag, reading.nodata) if value is not None and not np.isnan(value)}
    return given - {0} if reading.zero_is_data else given


def _holds(band: NDArray[Any], value: float) -> Any:  # noqa: ANN401 - numpy's booleans
    """Return where a band holds a nodata value; nowhere if its type can't."""
    if np.issubdtype(band.dtype, np.integer):
        limits = np.iinfo(band.dtype)
        if not limits.min <= value <= limits.max or value != int(value):
            return np.zeros(band.shape, np.bool_)
        return np.equal(band, band.dtype.type(int(value)))
    if abs(value) >= HUGE:
        return np.greater_equal(band, HUGE) if value > 0 else np.less_equal(band, -HUGE)
    if value == int(value):
        return np.equal(band, band.dtype.type(value))
    return np.isclose(band, value, rtol=NODATA_TOLERANCE, atol=0)
