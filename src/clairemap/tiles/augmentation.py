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
class FlipRotation:
    """A quarter turn against the clock done `quarters` times, then a mirror image, left for right, if `mirrored`."""

    quarters: int
    mirrored: bool


def flip_and_rotate(crop: Crop, turn: FlipRotation) -> Crop:
    """Return the crop with all its layers turned alike."""

    def spin(layer: NDArray[Any]) -> NDArray[Any]:
        spun = np.rot90(layer, turn.quarters, axes=(-2, -1))
        return np.ascontiguousarray(spun[..., ::-1] if turn.mirrored else spun)

    return Crop(spin(crop.optical), spin(crop.sar), spin(crop.optical_weight), spin(crop.sar_weight), spin(crop.target))


def drop_sensor(crop: Crop, sensor: Sensor) -> Crop:
    """Return the crop as if the sensor had not been there; pixels that only it saw have nothing to learn."""
    if sensor == "optical":
        return _with_weights(crop, np.zeros_like(crop.optical_weight), crop.sar_weight)
    return _with_weights(crop, crop.optical_weight, np.zeros_like(crop.sar_weight))


def mask_clouds(crop: Crop, mask: NDArray[np.bool_]) -> Crop:
    """Return the crop as if optical had not been there where the mask (y, x) is set; SAR and its pixels stay."""
    return mask_holes(crop, ("optical",), mask)


def mask_holes(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with nodata in the sensors where the mask (y, x) is set; a pixel of no sensor has no target."""
    optical, sar = crop.optical_weight, crop.sar_weight
    nothing = np.float32(0)
    return _with_weights(
        crop,
        np.where(mask, nothing, optical) if "optical" in sensors else optical,
        np.where(mask, nothing, sar) if "sar" in sensors else sar,
    )


def mask_holes_if_labelled(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with those holes, or as it is if nothing to learn would be left of it."""
    cut = mask_holes(crop, sensors, mask)
    return cut if cut.has_labels else crop


def _with_weights(crop: Crop, optical_weight: Values, sar_weight: Values) -> Crop:
    """Return the crop with other weights; where both are 0, there is nothing to learn."""
    seen = (optical_weight[0] > 0) | (sar_weight[0] > 0)
    target = np.where(seen, crop.target, np.uint8(IGNORE_INDEX))
    return replace(crop, optical_weight=optical_weight, sar_weight=sar_weight, target=target)


def drop_sensor_if_labelled(crop: Crop, sensor: Sensor | None) -> Crop:
    """Return the crop without the sensor, or as it is if nothing to learn would be left of it."""
    if sensor is None:
        return crop
    masked = drop_sensor(crop, sensor)
    return masked if masked.has_labels else crop


def select_view(crop: Crop, view: View) -> Crop:
    """Return the crop as a network of one sensor sees it; as it is for ``fused``."""
    if view == "fused":
        return crop
    return drop_sensor(crop, "sar" if view == "optical" else "optical")
