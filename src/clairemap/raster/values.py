"""Interpretation of a file's stored numbers: nodata and scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.validity import Mask

HUGE = 1e30
"""Nodata values beyond this match all numbers beyond it of the same sign, because tags may be rounded."""

NODATA_TOLERANCE = 1e-6
"""Relative tolerance for fractional nodata values, for the same reason."""


@dataclass(frozen=True)
class Reading:
    """How to interpret the stored numbers of a file.

    Attributes:
        nodata: additional stored number that means nodata.
        apply_scale: apply the file's scale and offset tags, if it has any.
        measurable: treat 0 and the maximum of an unsigned type as possible measurements (black, saturated), which mean
            nodata only where all bands have them. Other nodata values apply in any band.
        zero_is_data: 0 is data even if the nodata tag is 0.
    """

    nodata: float | None = None
    apply_scale: bool = True
    measurable: bool = True
    zero_is_data: bool = False


AS_STORED = Reading()
"""Default reading: the file's own nodata and scale tags."""


@dataclass(frozen=True)
class Scaling:
    """Scale and offset of each band of a file."""

    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def is_trivial(self) -> bool:
        """Whether values equal stored numbers."""
        return set(self.scales) <= {1.0} and set(self.offsets) <= {0.0}

    def values(self, stored: NDArray[Any], indexes: Sequence[int]) -> NDArray[np.float32]:
        """Return the values of stored bands (band, y, x) with these 1-based indexes; computed in float64."""
        out = np.empty(stored.shape, np.float32)
        for position, index in enumerate(indexes):
            out[position] = stored[position] * np.float64(self.scales[index - 1]) + self.offsets[index - 1]
        return out

    def stored(self, value: float, index: int) -> float:
        """Return the stored number for a value of a band (1-based index)."""
        return (value - self.offsets[index - 1]) / self.scales[index - 1]


def is_nodata(stored: NDArray[Any], tags: Sequence[float | None], reading: Reading) -> Mask:
    """Return the pixels (y, x) of stored bands (band, y, x) that are nodata by the bands' tags or `reading`."""
    anywhere = np.zeros(stored.shape[1:], np.bool_)
    everywhere = np.ones(stored.shape[1:], np.bool_)
    for band, tag in zip(stored, tags, strict=True):
        empty = np.zeros(stored.shape[1:], np.bool_)
        for value in _nodata_values(tag, reading):
            if reading.measurable and can_be_measured(value, stored.dtype):
                empty |= _equals(band, value)
            else:
                anywhere |= _equals(band, value)
        everywhere &= empty
    return anywhere | everywhere


def can_be_measured(value: float, dtype: np.dtype[Any]) -> bool:
    """Return whether a nodata value can also be a measurement: 0 or the maximum of an unsigned type."""
    return value == 0 or (dtype.kind == "u" and value == np.iinfo(dtype).max)


def _nodata_values(tag: float | None, reading: Reading) -> set[float]:
    values = {value for value in (tag, reading.nodata) if value is not None and not np.isnan(value)}
    return values - {0} if reading.zero_is_data else values


def _equals(band: NDArray[Any], value: float) -> Any:  # noqa: ANN401 - numpy's booleans
    """Return where a band equals a nodata value; nowhere if its type cannot represent it."""
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
