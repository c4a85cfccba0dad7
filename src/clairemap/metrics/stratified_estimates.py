"""Accuracy and area with confidence intervals from a stratified probability sample.

Olofsson et al. 2014, "Good practices for estimating area and assessing accuracy of land change", Remote Sensing of
Environment 148, equations 1 to 11. The strata are the mapped classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.96
"""Half-width of a 95 % interval in standard errors, rounded as in the paper."""

ClassValues = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Values and half-widths of their 95 % intervals, of equal shape."""

    value: ClassValues
    half_width: ClassValues


@dataclass(frozen=True)
class StratifiedEstimates:
    """Unbiased estimates: accuracies (0..1) and areas; `overall` is a scalar, the others are (class,)."""

    overall: Estimate
    users: Estimate
    producers: Estimate
    area: Estimate


def stratified_estimates(
    counts: NDArray[np.integer], strata_px: NDArray[np.integer], pixel_area: float = 1.0
) -> StratifiedEstimates:
    """Return accuracies and areas with 95 % intervals.

    Args:
        counts: sample units (mapped class, reference class), sampled at random within each stratum. Training labels
            are not such a sample.
        strata_px: pixels of each mapped class in the whole map, (class,).
        pixel_area: area of a pixel, in the unit of the result.

    Raises:
        ValueError: a mapped class has fewer than 2 sample units.
    """
    n = counts.astype(np.float64)
    drawn, pixels = n.sum(1), strata_px.astype(np.float64)
    if (scarce := np.flatnonzero((pixels > 0) & (drawn < 2))).size:
        raise ValueError(f"strata {scarce.tolist()} have fewer than 2 sample units; add units to estimate the variance")
    weight = pixels / pixels.sum()
    share = n / np.maximum(drawn, 1)[:, None]
    freedom = np.maximum(drawn - 1, 1)
    variance = share * (1 - share) / freedom[:, None]
    expected = weight[:, None] * share
    reference = expected.sum(0)
    users = np.diagonal(share)
    error = np.sqrt((weight[:, None] ** 2 * variance).sum(0))
    total = pixels.sum() * pixel_area
    return StratifiedEstimates(
        overall=_estimate(np.trace(expected), np.sqrt((weight**2 * np.diagonal(variance)).sum())),
        users=_estimate(users, np.sqrt(np.diagonal(variance))),
        producers=_producers(pixels, share, variance, expected),
        area=_estimate(reference * total, error * total),
    )


def _producers(pixels: ClassValues, share: ClassValues, variance: ClassValues, expected: ClassValues) -> Estimate:
    """Return the producer's accuracies (equations 3 and 7); NaN for classes without reference units."""
    reference = expected.sum(0)
    present = reference > 0
    value = np.divide(np.diagonal(expected), reference, out=np.full(len(reference), np.nan), where=present)
    own = pixels**2 * (1 - value) ** 2 * np.diagonal(variance)
    others = (pixels[:, None] ** 2 * variance).sum(0) - pixels**2 * np.diagonal(variance)
    columns = (pixels[:, None] * share).sum(0)
    spread = np.divide(own + value**2 * others, columns**2, out=np.full(len(columns), np.nan), where=present)
    return _estimate(value, np.sqrt(spread))


def _estimate(value: ClassValues | np.floating, error: ClassValues | np.floating) -> Estimate:
    return Estimate(np.asarray(value, np.float64), Z_95 * np.asarray(error, np.float64))
