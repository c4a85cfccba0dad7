"""Which values a scene's bands hold: moments and quantiles of its usable pixels, kept while the scene is tiled."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from clairemap.grid.window import Window
from clairemap.provenance import read_document, write_text_whole
from clairemap.settings import Sensor
from clairemap.validity import Mask

LEVELS_PCT = (0.1, 0.2, 0.5, *(float(percent) for percent in range(1, 100)), 99.5, 99.8, 99.9)
"""Levels of the quantiles, percent."""

RADIOMETRY_SAMPLE_PX = 500_000
"""Largest number of lattice pixels that describe a scene: 500,000 values give quantiles of 0.1 % to a tenth of it."""

MIN_RADIOMETRY_PX = 1000
"""Usable pixels below which a sensor isn't described: a sliver's values say nothing about their unit."""

MIXED_VALUES = 4096
"""Values at which distribution functions of scenes are put together: time grows with the scenes, not their square."""

SIGNIFICANT_DIGITS = 7
"""Significant digits of all figures, so that equal pixels give equal files on every machine."""

FloatArray = NDArray[np.float64]


class SensorRadiometry(BaseModel):
    """Figures of one sensor's bands over the usable pixels, in the units of the pair store (SAR: dB, or digital).

    `mean` has one value for each band, `covariance` (band, band), `quantiles` (band, level) at `LEVELS_PCT`, `floor`
    and `ceiling` the smallest and largest value seen. `pixels` counts the pixels that the figures rest on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bands: tuple[str, ...]
    pixels: int
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    quantiles: tuple[tuple[float, ...], ...]
    floor: tuple[float, ...]
    ceiling: tuple[float, ...]

    @classmethod
    def of(cls, bands: tuple[str, ...], values: NDArray[Any]) -> Self:
        """Return the figures of values (band, pixel), at least one pixel."""
        exact = values.astype(np.float64)
        return cls(
            bands=bands,
            pixels=exact.shape[1],
            mean=_to_significant_digits(exact.mean(axis=1)),
            covariance=tuple(_to_significant_digits(row) for row in np.atleast_2d(np.cov(exact, bias=True))),
            quantiles=tuple(_to_significant_digits(row) for row in np.percentile(exact, LEVELS_PCT, axis=1).T),
            floor=_to_significant_digits(exact.min(axis=1)),
            ceiling=_to_significant_digits(exact.max(axis=1)),
        )

    @property
    def std(self) -> FloatArray:
        """Standard deviation of each band."""
        std: FloatArray = np.sqrt(np.diag(np.asarray(self.covariance)))
        return std


class Radiometry(BaseModel):
    """A scene's radiometry; a sensor is None if too few of its pixels are usable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scene: str
    sar_scale: str
    optical: SensorRadiometry | None
    sar: SensorRadiometry | None

    def of_sensor(self, sensor: Sensor) -> SensorRadiometry | None:
        """Return the figures of one sensor."""
        return self.optical if sensor == "optical" else self.sar


class TrainingRadiometry(BaseModel):
    """The radiometry of each training scene."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenes: tuple[Radiometry, ...]

    def without(self, scene: str) -> tuple[Radiometry, ...]:
        """Return the training scenes other than this one: a scene can't vouch for itself."""
        return tuple(known for known in self.scenes if known.scene != scene)


def pooled(parts: Sequence[SensorRadiometry]) -> SensorRadiometry:
    """Return the figures of several scenes as one, each weighted by its pixels; at least one scene.

    Mean and covariance are those of the mixture, quantiles come from the mean of the scenes' distribution functions,
    interpolated between their levels.
    """
    weights = np.array([part.pixels for part in parts], np.float64)
    weights /= weights.sum()
    means = np.array([part.mean for part in parts])
    mean = weights @ means
    within = np.einsum("s,sij->ij", weights, np.array([part.covariance for part in parts]))
    between = np.einsum("s,si,sj->ij", weights, means - mean, means - mean)
    return SensorRadiometry(
        bands=parts[0].bands,
        pixels=sum(part.pixels for part in parts),
        mean=_to_significant_digits(mean),
        covariance=tuple(_to_significant_digits(row) for row in within + between),
        quantiles=tuple(
            _to_significant_digits(_mixed_quantiles(np.array([part.quantiles[band] for part in parts]), weights))
            for band in range(len(mean))
        ),
        floor=_to_significant_digits(np.min([part.floor for part in parts], axis=0)),
        ceiling=_to_significant_digits(np.max([part.ceiling for part in parts], axis=0)),
    )


def _mixed_quantiles(quantiles: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the quantiles of a mixture from those of its parts (part, level)."""
    levels = np.array(LEVELS_PCT)
    values = np.unique(quantiles)
    values = values[np.linspace(0, len(values) - 1, min(len(values), MIXED_VALUES)).astype(int)]
    shares = sum(
        weight * np.interp(values, part, levels, left=0.0, right=100.0)
        for weight, part in zip(weights, quantiles, strict=True)
    )
    mixed: FloatArray = np.interp(levels, np.asarray(shares), values)
    return mixed


def _to_significant_digits(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values)


class Sampler:
    """Collects one sensor's usable pixels on a lattice over the scene, block by block.

    Memory: `RADIOMETRY_SAMPLE_PX` pixels at most, however large the scene.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Start for a scene of (height, width) pixels."""
        self._step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / RADIOMETRY_SAMPLE_PX))))
        self._parts: list[NDArray[Any]] = []

    def add(self, window: Window, values: NDArray[Any], usable: Mask) -> None:
        """Take in a block: values (band, y, x) and where they are usable (y, x). Blocks must not overlap."""
        lattice = slice(-window.y0 % self._step, None, self._step), slice(-window.x0 % self._step, None, self._step)
        self._parts.append(values[:, *lattice][:, usable[lattice]])

    def radiometry(self, bands: tuple[str, ...]) -> SensorRadiometry | None:
        """Return the figures of all that was added; None of fewer than `MIN_RADIOMETRY_PX` pixels."""
        values = np.concatenate(self._parts, axis=1) if self._parts else np.zeros((len(bands), 0))
        return SensorRadiometry.of(bands, values) if values.shape[1] >= MIN_RADIOMETRY_PX else None


@dataclass(frozen=True)
class SceneSampler:
    """The samplers of a scene's two sensors."""

    optical: Sampler
    sar: Sampler

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Self:
        """Return samplers for a scene of (height, width) pixels."""
        return cls(Sampler(shape), Sampler(shape))


def write_radiometry(path: Path, radiometry: Radiometry | TrainingRadiometry) -> None:
    """Write it as JSON, whole or not at all; equal figures give equal files."""
    write_text_whole(path, radiometry.model_dump_json(indent=1) + "\n")


def read_radiometry(path: Path) -> Radiometry:
    """Return a scene's radiometry.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, Radiometry, "radiometry", "tile_scene")


def read_training_radiometry(path: Path) -> TrainingRadiometry:
    """Return the training scenes' radiometry.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, TrainingRadiometry, "radiometry", "collect_radiometry")
