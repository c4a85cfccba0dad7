"""Conditions under which the accuracy benchmark scores a network: clouds, displaced SAR, a disturbed sensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.outputs import FUSED
from clairemap.settings import Sensor, View
from clairemap.tiles.augmentation import mask_clouds
from clairemap.tiles.clouds import BandRange, paint_clouds
from clairemap.tiles.crops import NO_OFFSET, Crop, SarOffset, Values
from clairemap.tiles.disturbance import with_speckle

COVERAGES = (0.5, 1.0)
DISPLACEMENTS_PX = (1, 2, 4, 8)
DIRECTIONS = ((0, 1), (1, 0), (0, -1), (-1, 0))
CONTRASTS = (0.5, 2.0)
OFFSET_STD, NOISE_STD, NOISE_LOOKS = 1.0, 1.0, 1.0
BAND_SPREAD = 0.1
"""Differences of contrast (fraction) and offset (standard deviations) between the bands of a disturbed sensor."""

Fault = Literal["gain", "offset", "noise"]
FAULTS: tuple[Fault, ...] = ("gain", "offset", "noise")


@dataclass(frozen=True)
class Condition:
    """What differs from the scene as it is: `sensor` is the one that is changed, `seen_by` are views that it changes.

    `coverage`: share under painted clouds, `displaced_px`: displacement of SAR, `fault`: what disturbs the sensor.
    """

    name: str
    sensor: Sensor | None = None
    seen_by: tuple[View, ...] = (FUSED, "optical", "sar")
    coverage: float = 0.0
    mask_is_given: bool = False
    displaced_px: int = 0
    fault: Fault | None = None

    def sar_offset(self, number: int) -> SarOffset:
        """Return the displacement of SAR in a window, in one of four directions by the window's number."""
        if not self.displaced_px:
            return NO_OFFSET
        down, right = DIRECTIONS[number % len(DIRECTIONS)]
        return SarOffset(down * self.displaced_px, right * self.displaced_px)


CLEAR = Condition("clear")


def clouds(coverage: float, mask: Literal["given", "withheld"]) -> Condition:
    """Return a condition of painted clouds; without its mask, optical alone is scored too."""
    given = mask == "given"
    seen_by: tuple[View, ...] = (FUSED,) if given else (FUSED, "optical")
    return Condition(f"clouds {coverage:g} mask {mask}", "optical", seen_by, coverage=coverage, mask_is_given=given)


def displaced(pixels: int) -> Condition:
    """Return a condition of displaced SAR."""
    return Condition(f"displaced {pixels}", "sar", (FUSED, "sar"), displaced_px=pixels)


def disturbed(sensor: Sensor, fault: Fault) -> Condition:
    """Return a condition of one disturbed sensor."""
    return Condition(f"{sensor} {fault}", sensor, (FUSED, sensor), fault=fault)


UNMASKED = tuple(clouds(coverage, "withheld") for coverage in COVERAGES)
MASKED = tuple(clouds(coverage, "given") for coverage in COVERAGES)
DISPLACED = tuple(displaced(pixels) for pixels in DISPLACEMENTS_PX)
SENSORS: tuple[Sensor, ...] = ("optical", "sar")
DISTURBED = tuple(disturbed(sensor, fault) for sensor in SENSORS for fault in FAULTS)
CONDITIONS = {each.name: each for each in (CLEAR, *UNMASKED, *MASKED, *DISPLACED, *DISTURBED)}


@dataclass(frozen=True)
class Scale:
    """What the conditions need to know of the training data: statistics, range and stored types of the bands."""

    statistics: TrainingStatistics
    optical: BandRange
    stored: Mapping[Sensor, np.dtype[Any]]


def changed(crop: Crop, condition: Condition, scale: Scale, random: np.random.Generator) -> Crop:
    """Return a crop under a condition. Displaced SAR is already in it. Labels do not change."""
    if condition.coverage:
        sky = paint_clouds(crop.optical, scale.optical, condition.coverage, random)
        cloudy = replace(crop, optical=sky.optical)
        return replace(mask_clouds(cloudy, sky.mask), target=crop.target) if condition.mask_is_given else cloudy
    if condition.sensor is None or condition.fault is None:
        return crop
    if condition.fault == "noise" and condition.sensor == "sar":
        return with_speckle(crop, NOISE_LOOKS, scale.statistics, random)
    values = crop.optical if condition.sensor == "optical" else crop.sar
    bands = scale.statistics.optical if condition.sensor == "optical" else scale.statistics.sar
    faulty = within(with_fault(values, condition.fault, bands, random), scale.stored[condition.sensor])
    return replace(crop, optical=faulty) if condition.sensor == "optical" else replace(crop, sar=faulty)


def with_fault(values: Values, fault: Fault, bands: BandStatistics, random: np.random.Generator) -> Values:
    """Return a sensor's bands (band, y, x) with another contrast or brightness of all bands, or with noise.

    gain: half or twice the contrast around the training mean; offset: one standard deviation up or down; noise: normal,
    one standard deviation. Between the bands, gain and offset differ by up to `BAND_SPREAD`.
    """
    mean, std = column(bands.mean), column(bands.std)
    spread = random.uniform(-BAND_SPREAD, BAND_SPREAD, (len(values), 1, 1)).astype(np.float32)
    if fault == "gain":
        return (values - mean) * (np.float32(random.choice(CONTRASTS)) * (1 + spread)) + mean
    if fault == "offset":
        return values + (np.float32(random.choice((-OFFSET_STD, OFFSET_STD))) + spread) * std
    noise: Values = values + random.standard_normal(values.shape, np.float32) * np.float32(NOISE_STD) * std
    return noise


def within(values: Values, stored: np.dtype[Any]) -> Values:
    """Return the values limited to the range of the stored type, if that is an integer type."""
    if stored.kind not in "iu":
        return values
    limits = np.iinfo(stored)
    return np.clip(values, np.float32(limits.min), np.float32(limits.max))


def column(numbers: Sequence[float]) -> NDArray[np.float32]:
    """Return a number per band as (band, 1, 1)."""
    return np.array(numbers, np.float32)[:, None, None]
