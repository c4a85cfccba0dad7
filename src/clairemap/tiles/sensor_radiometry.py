"""Radiometry of a scene: moments and quantiles of its usable pixels, collected while the scene is tiled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.radiometry import LEVELS_PCT, SensorRadiometry
from clairemap.grid.window import Window
from clairemap.validity import Mask

RADIOMETRY_SAMPLE_PX = 500_000
"""Maximum number of sampled pixels per scene: with 500,000, the 0.1 % quantile is accurate to a tenth of its level."""

MIN_RADIOMETRY_PX = 1000
"""Minimum number of usable pixels: fewer do not represent a scene."""

MIXED_VALUES = 4096
"""Maximum number of values at which distribution functions are mixed: time is linear in the number of scenes."""

SIGNIFICANT_DIGITS = 7
"""Significant digits of all figures, so that equal pixels give equal files on every machine."""

FloatArray = NDArray[np.float64]


def sensor_radiometry(bands: tuple[str, ...], values: NDArray[Any]) -> SensorRadiometry:
    """Return the figures of values (band, pixel), at least one pixel."""
    exact = values.astype(np.float64)
    return SensorRadiometry(
        bands=bands,
        pixels=exact.shape[1],
        mean=_to_significant_digits(exact.mean(axis=1)),
        covariance=tuple(_to_significant_digits(row) for row in np.atleast_2d(np.cov(exact, bias=True))),
        quantiles=tuple(_to_significant_digits(row) for row in np.percentile(exact, LEVELS_PCT, axis=1).T),
        floor=_to_significant_digits(exact.min(axis=1)),
        ceiling=_to_significant_digits(exact.max(axis=1)),
    )


def standard_deviations(radiometry: SensorRadiometry) -> FloatArray:
    """Return the standard deviation of each band."""
    std: FloatArray = np.sqrt(np.diag(np.asarray(radiometry.covariance)))
    return std


def pool(parts: Sequence[SensorRadiometry]) -> SensorRadiometry:
    """Return the joint figures of several scenes, weighted by their pixels; at least one scene.

    Mean and covariance are exact. Quantiles come from the mean of the scenes' distribution functions, interpolated
    between their levels.
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

    Memory: at most `RADIOMETRY_SAMPLE_PX` pixels, independent of the scene's size.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """Prepare for a scene of (height, width) pixels."""
        self._step = max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / RADIOMETRY_SAMPLE_PX))))
        self._parts: list[NDArray[Any]] = []

    def add(self, window: Window, values: NDArray[Any], usable: Mask) -> None:
        """Add a block: values (band, y, x) and their usable mask (y, x). Blocks must not overlap."""
        lattice = slice(-window.y0 % self._step, None, self._step), slice(-window.x0 % self._step, None, self._step)
        self._parts.append(values[:, *lattice][:, usable[lattice]])

    def radiometry(self, bands: tuple[str, ...]) -> SensorRadiometry | None:
        """Return the figures of all added pixels; None with fewer than `MIN_RADIOMETRY_PX`."""
        values = np.concatenate(self._parts, axis=1) if self._parts else np.zeros((len(bands), 0))
        return sensor_radiometry(bands, values) if values.shape[1] >= MIN_RADIOMETRY_PX else None


@dataclass(frozen=True)
class SceneSampler:
    """Samplers of a scene's two sensors."""

    optical: Sampler
    sar: Sampler

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Self:
        """Return samplers for a scene of (height, width) pixels."""
        return cls(Sampler(shape), Sampler(shape))
