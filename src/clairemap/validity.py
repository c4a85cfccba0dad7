"""Bit flags of each pixel: reasons why its values are not usable.

The flags are a ``uint8`` layer of the store. 0 means: both sensors and the label are valid, and the cloud mask says
clear. Band values never encode validity.
"""

from enum import IntFlag

import numpy as np
from numpy.typing import NDArray


class Validity(IntFlag):
    """Reasons why a pixel is not fully usable."""

    OPTICAL_NODATA = 1  # outside the optical scene, masked, nodata or not finite
    SAR_NODATA = 2  # the same for SAR, after resampling to the optical grid
    CLOUD = 4  # cloud or cloud shadow in the cloud mask: optical does not show the ground
    NO_LABEL = 8  # no label raster, nodata or an ignored code
    LOW_REGISTRATION = 16  # the registration was rejected: SAR is placed by its georeferencing
    CLOUD_UNKNOWN = 32  # no cloud mask here; optical is used


OPTICAL_UNUSABLE = Validity.OPTICAL_NODATA | Validity.CLOUD
SAR_UNUSABLE = Validity.SAR_NODATA

Flags = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def has_none(flags: Flags, unwanted: Validity) -> Mask:
    """Return where no unwanted bit is set; shape of `flags`."""
    clear: Mask = (flags & np.uint8(unwanted)) == 0
    return clear


def optical_usable(flags: Flags) -> Mask:
    """Return where the optical bands are valid and not cloudy."""
    return has_none(flags, OPTICAL_UNUSABLE)


def sar_usable(flags: Flags) -> Mask:
    """Return where the SAR bands are valid."""
    return has_none(flags, SAR_UNUSABLE)


def mappable(flags: Flags) -> Mask:
    """Return where at least one sensor is usable."""
    return optical_usable(flags) | sar_usable(flags)
