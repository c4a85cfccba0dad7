"""Bit flags that say, for each pixel, what its values can't be used for.

The flags travel from tiling to the report as a ``uint8`` raster of their own. No bit set means: both sensors
and the label are usable, and the cloud mask says clear. Values in the image bands never carry that meaning.
"""

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Validity(IntFlag):
    """Reasons why a pixel is not fully usable."""

    OPTICAL_NODATA = 1  # outside the optical scene, masked in its file, equal to its nodata value, or not finite
    SAR_NODATA = 2  # the same for the SAR scene after resampling onto the optical grid
    CLOUD = 4  # the scene's cloud mask says cloud or cloud shadow: optical is there but not of the ground
    NO_LABEL = 8  # no label raster, its nodata value, or a code that the legend ignores
    LOW_REGISTRATION = 16  # the registration was rejected: SAR lies where its georeferencing puts it
    CLOUD_UNKNOWN = 32  # optical is there, but no cloud mask says whether it shows the ground: it is used all the same


OPTICAL_UNUSABLE = Validity.OPTICAL_NODATA | Validity.CLOUD
SAR_UNUSABLE = Validity.SAR_NODATA

Flags = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def has_none(flags: Flags, unwanted: Validity) -> Mask:
    """Return where none of the unwanted bits is set; same shape as `flags`."""
    clear: Mask = (flags & np.uint8(unwanted)) == 0
    return clear


def optical_usable(flags: Flags) -> Mask:
    """Return where the optical bands show the ground."""
    return has_none(flags, OPTICAL_UNUSABLE)


def sar_usable(flags: Flags) -> Mask:
    """Return where the SAR bands hold backscatter."""
    return has_none(flags, SAR_UNUSABLE)


def mappable(flags: Flags) -> Mask:
    """Return where at least one sensor is usable, which is where a map can be made."""
    return optical_usable(flags) | sar_usable(flags)
