"""Flips and rotations of crops, and masking of one sensor, of optical under clouds, or of nodata holes.

Band values do not change here; `disturbance` changes values.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.outputs import FUSED
from clairemap.settings import Sensor, View
from clairemap.tiles.crops import Crop, Values


@dataclass(frozen=True)
class FlipRotation:
    """`quarters` counterclockwise quarter turns, then a left-right flip if `mirrored`."""

    quarters: int
    mirrored: bool


def flip_and_rotate(crop: Crop, turn: FlipRotation) -> Crop:
    """Return the crop with all layers flipped and rotated."""

    def spin(layer: NDArray[Any]) -> NDArray[Any]:
        spun = np.rot90(layer, turn.quarters, axes=(-2, -1))
        return np.ascontiguousarray(spun[..., ::-1] if turn.mirrored else spun)

    return Crop(
        spin(crop.optical),
        spin(crop.sar),
        spin(crop.optical_weight),
        spin(crop.sar_weight),
        spin(crop.target),
        spin(crop.misleading),
    )


def drop_sensor(crop: Crop, sensor: Sensor) -> Crop:
    """Return the crop without the sensor; pixels that only this sensor sees lose their target."""
    if sensor == "optical":
        return _with_weights(crop, np.zeros_like(crop.optical_weight), crop.sar_weight)
    return _with_weights(crop, crop.optical_weight, np.zeros_like(crop.sar_weight))


def mask_clouds(crop: Crop, mask: NDArray[np.bool_]) -> Crop:
    """Return the crop without optical where the mask (y, x) is set; SAR does not change."""
    return mask_holes(crop, ("optical",), mask)


def mask_holes(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with nodata in the sensors where the mask (y, x) is set.

    Pixels that no sensor sees lose their target.
    """
    optical, sar = crop.optical_weight, crop.sar_weight
    nothing = np.float32(0)
    return _with_weights(
        crop,
        np.where(mask, nothing, optical) if "optical" in sensors else optical,
        np.where(mask, nothing, sar) if "sar" in sensors else sar,
    )


def mask_holes_if_labelled(crop: Crop, sensors: tuple[Sensor, ...], mask: NDArray[np.bool_]) -> Crop:
    """Return the crop with the holes; unchanged if no label would remain."""
    cut = mask_holes(crop, sensors, mask)
    return cut if cut.has_labels else crop


def _with_weights(crop: Crop, optical_weight: Values, sar_weight: Values) -> Crop:
    """Return the crop with other weights; pixels where both are 0 lose their target."""
    usable = (optical_weight[0] > 0) | (sar_weight[0] > 0)
    target = np.where(usable, crop.target, np.uint8(IGNORE_INDEX))
    return replace(crop, optical_weight=optical_weight, sar_weight=sar_weight, target=target)


def drop_sensor_if_labelled(crop: Crop, sensor: Sensor | None) -> Crop:
    """Return the crop without the sensor; unchanged if no label would remain."""
    if sensor is None:
        return crop
    masked = drop_sensor(crop, sensor)
    return masked if masked.has_labels else crop


def select_view(crop: Crop, view: View) -> Crop:
    """Return the crop with only the view's sensor; unchanged for FUSED."""
    if view == FUSED:
        return crop
    return drop_sensor(crop, "sar" if view == "optical" else "optical")
