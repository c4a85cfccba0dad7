"""Crops in which one sensor misleads, so that the network learns to lower its share."""

from dataclasses import replace

import numpy as np

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.settings import Sensor
from clairemap.tiles.crops import Crop, Values
from clairemap.tiles.stretch import band_column, stretched
from clairemap.validity import Mask

CONTRASTS = (-1.0, 0.2, 3.0)
"""Factors of the contrast of a wrong stretch."""

BRIGHTNESS_STD = (1.0, 3.0)
"""Range of the change of brightness of a wrong stretch, standard deviations of the training tiles."""

NOISE_STD = (1.0, 2.0)
"""Range of the standard deviation of noise, in those of the training tiles."""

DISPLACED_PX = (8, 24)
"""Range of the displacement of a sensor along each axis."""


def mislead(crop: Crop, sensor: Sensor, where: Mask) -> Crop:
    """Return the crop with usable pixels of the sensor in the mask (y, x) marked as misleading."""
    index = 0 if sensor == "optical" else 1
    marked = crop.misleading.copy()
    marked[index] |= where & (_weight(crop, sensor)[0] > 0)
    return replace(crop, misleading=marked)


def with_misleading(crop: Crop, sensor: Sensor, statistics: TrainingStatistics, random: np.random.Generator) -> Crop:
    """Return the crop with a sensor that misleads everywhere: a wrong stretch, noise, displaced, or wrong bands.

    The kinds are equally likely. Weights and target do not change.

    Args:
        crop: in the units of the training tiles.
        sensor: the sensor to disturb.
        statistics: of the training tiles.
        random: generator for the kind and its strength.
    """
    values = crop.optical if sensor == "optical" else crop.sar
    of_sensor = statistics.optical if sensor == "optical" else statistics.sar
    kind = random.integers(4)
    if kind == 0:
        values = _with_wrong_stretch(values, of_sensor, random)
    elif kind == 1:
        values = values + random.uniform(*NOISE_STD) * band_column(of_sensor.std) * random.standard_normal(
            values.shape, np.float32
        )
    elif kind == 2 or len(values) == 1:
        values = _displaced(values, _weight(crop, sensor) > 0, of_sensor, random)
    else:
        values = np.roll(values, int(random.integers(1, len(values))), axis=0)
    values = np.ascontiguousarray(values, np.float32)
    changed = replace(crop, optical=values) if sensor == "optical" else replace(crop, sar=values)
    return mislead(changed, sensor, np.ones(crop.target.shape, np.bool_))


def _with_wrong_stretch(values: Values, statistics: BandStatistics, random: np.random.Generator) -> Values:
    contrast = np.float32(random.choice(CONTRASTS))
    brightness = np.float32(random.choice((-1, 1)) * random.uniform(*BRIGHTNESS_STD))
    return stretched(values, contrast, brightness, statistics)


def _displaced(values: Values, usable: Mask, statistics: BandStatistics, random: np.random.Generator) -> Values:
    """Return the bands moved around the edges; pixels from outside the usable ones get the mean of the training."""
    low, high = DISPLACED_PX
    offset = tuple(int(step) for step in random.integers(low, high + 1, 2) * random.choice((-1, 1), 2))
    known = np.where(usable, values, band_column(statistics.mean))
    moved: Values = np.where(usable, np.roll(known, offset, (-2, -1)), values)
    return moved


def _weight(crop: Crop, sensor: Sensor) -> Values:
    return crop.optical_weight if sensor == "optical" else crop.sar_weight
