"""Matching of a scene's bands to the training tiles: equal mean and standard deviation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from clairemap.artefacts.model_card import BandScale
from clairemap.artefacts.store_attributes import BandMoments
from clairemap.settings import Sensor
from clairemap.tiles.crops import Crop, Values
from clairemap.tiles.stretch import band_column


@dataclass(frozen=True)
class LinearMatch:
    """Factor and offset of each band, (band, 1, 1) float32."""

    factor: Values
    offset: Values

    @classmethod
    def between(cls, scene: BandMoments | None, training: BandScale) -> Self:
        """Return the match of a scene's bands to those of the training; without moments the identity."""
        own = training if scene is None else training.with_moments(scene)
        factor = np.array(training.std) / np.array(own.std)
        return cls(band_column(factor.tolist()), band_column((np.array(training.mean) - factor * own.mean).tolist()))

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
    def of(cls, moments: Mapping[Sensor, BandMoments], optical: BandScale, sar: BandScale) -> Self:
        """Return the match of a scene with these moments to the scales of the training."""
        return cls(LinearMatch.between(moments.get("optical"), optical), LinearMatch.between(moments.get("sar"), sar))

    def __call__(self, crop: Crop) -> Crop:
        """Return the crop with matched bands."""
        return replace(crop, optical=self.optical(crop.optical), sar=self.sar(crop.sar))
