"""Matching of a scene's bands to the training tiles: equal mean and standard deviation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.artefacts.store_attributes import BandMoments
from clairemap.settings import Sensor
from clairemap.tiles.crops import Crop, Values


@dataclass(frozen=True)
class LinearMatch:
    """Factor and offset of each band, (band, 1, 1) float32."""

    factor: Values
    offset: Values

    @classmethod
    def between(cls, scene: BandMoments | None, training: BandStatistics) -> Self:
        """Return the match of a scene's bands to those of the training; without moments the identity.

        A band without variation is only moved.
        """
        mean, std = np.array(training.mean), np.array(training.std)
        own_mean, own_std = (mean, std) if scene is None else (np.array(scene.mean), np.array(scene.std))
        factor = std / np.where(own_std > 0, own_std, std)
        return cls(*(part.astype(np.float32)[:, None, None] for part in (factor, mean - factor * own_mean)))

    def __call__(self, values: Values) -> Values:
        """Return the bands (band, y, x) in the units of the training tiles."""
        matched: Values = values * self.factor + self.offset
        return matched


@dataclass(frozen=True)
class SceneMatch:
    """Match of both sensors of a scene."""

    optical: LinearMatch
    sar: LinearMatch

    @classmethod
    def of(cls, moments: Mapping[Sensor, BandMoments], statistics: TrainingStatistics) -> Self:
        """Return the match of a scene with these moments."""
        return cls(
            LinearMatch.between(moments.get("optical"), statistics.optical),
            LinearMatch.between(moments.get("sar"), statistics.sar),
        )

    def __call__(self, crop: Crop) -> Crop:
        """Return the crop with matched bands."""
        return replace(crop, optical=self.optical(crop.optical), sar=self.sar(crop.sar))
