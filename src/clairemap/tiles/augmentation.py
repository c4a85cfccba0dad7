"""Quarter turns and mirror images of crops, and masking out one sensor, optical under clouds, or holes of nodata.

Values stay as they are here; what changes them is in `disturbance`.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.settings import Sensor, View
from clairemap.tiles.crops import Crop, Values


@dataclass(frozen=True)
class Turn:
    """A quarter turn against the clock done `quarters` times, then a mirror image, left for right, if `mirrored`."""

    quarters: int
    mirrored: bool


def turned(crop: Crop, turn: Turn) -> Crop:
    """Return the crop with all its layers turned alike."""

    def spin(layer: NDArray[Any]) -> NDArray[Any]:
        spun = np.rot90(layer, turn.quarters, axes=(-2, -1))
        return np.ascontiguousarray(spun[..., ::-1] if turn.mirrored else spun)

    return Crop(spin(crop.optical), spin(crop.sar), spin(crop.optical_weight), spin(crop.sar_weight), spin(crop.target))


def without(crop: Crop, sensor: Sensor) -> Crop:
    """Return the crop as if the sensor had not been there; pixels that only it saw have nothing to learn."""
    if sensor == "optical":
        return _weighted(crop, np.zeros_like(crop.optical_weight), crop.sar_weight)
    return _weighted(crop, crop.optical_weight, np.zeros_like(crop.sar_weight))


def cloud_masked(crop: Crop, mask: NDArray[np.bool_]) -> Crop:
    """Return the crop as if optical had not been there where the mask (y, x) is set; SAR and its pixels stay."""
    return holed(crop, ("optical",), mask)


def holed(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with nodata in the sensors where the mask (y, x) is set; a pixel of no sensor has no target."""
    optical, sar = crop.optical_weight, crop.sar_weight
    nothing = np.float32(0)
    return _weighted(
        crop,
        np.where(mask, nothing, optical) if "optical" in sensors else optical,
        np.where(mask, nothing, sar) if "sar" in sensors else sar,
    )


def holed_if_labels_stay(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with those holes, or as it is if nothing to learn would be left of it."""
    cut = holed(crop, sensors, mask)
    return cut if cut.has_labels else crop


def _weighted(crop: Crop, optical_weight: Values, sar_weight: Values) -> Crop:
    """Return the crop with other weights; where both are 0, there is nothing to learn."""
    seen = (optical_weight[0] > 0) | (sar_weight[0] > 0)
    target = np.where(seen, crop.target, np.uint8(IGNORE_INDEX))
    return replace(crop, optical_weight=optical_weight, sar_weight=sar_weight, target=target)


def without_if_others_see(crop: Crop, sensor: Sensor | None) -> Crop:
    """Return the crop without the sensor, or as it is if nothing to learn would be left of it."""
    if sensor is None:
        return crop
    masked = without(crop, sensor)
    return masked if masked.has_labels else crop


def seen_by(crop: Crop, view: View) -> Crop:
    """Return the crop as a network of one sensor sees it; as it is for ``fused``."""
    if view == "fused":
        return crop
    return without(crop, "sar" if view == "optical" else "optical")
