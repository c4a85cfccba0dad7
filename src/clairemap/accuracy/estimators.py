"""Estimates of means and ratios from a stratified random sample, with standard errors.

Stehman 2014, "Estimating area and map accuracy for stratified random sampling when the strata are different from the
map classes", International Journal of Remote Sensing 35, equations 2, 3, 25 to 29. If the strata are the mapped
classes, the results are those of Olofsson et al. 2014, "Good practices for estimating area and assessing accuracy of
land change", Remote Sensing of Environment 148, equations 1 to 11.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

TAIL = 0.025
"""Probability outside a 95 % interval on each side."""

Z_95 = 1.959964
"""Half-width of a 95 % interval in standard errors."""

ROUNDING = 1e-12
"""Variance of a share, relative to that of a single unit, below which it is 0 but for rounding."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error, and the limits of its 95 % interval; NaN where it cannot be computed."""

    value: float
    standard_error: float
    low: float
    high: float


UNKNOWN = Estimate(np.nan, np.nan, np.nan, np.nan)


@dataclass(frozen=True)
class Strata:
    """The strata of a sample, and the units in them.

    Attributes:
        of_units: stratum of each unit, 0-based, (unit,).
        pixels: pixels of each stratum, (stratum,).
        areas: area of each stratum, in the unit of the totals, (stratum,).
        unit_areas: area of each unit's pixel, in any unit, (unit,); equal if the map's projection keeps areas.
    """

    of_units: NDArray[np.intp]
    pixels: Values
    areas: Values
    unit_areas: Values

    @property
    def units(self) -> Values:
        """Units in each stratum, (stratum,)."""
        return self._sums(np.ones(len(self.of_units)))

    @property
    def area(self) -> float:
        """Area of all strata."""
        return float(self.areas.sum())

    @property
    def effective_units(self) -> Values:
        """Units in each stratum, more if they are a large part of it, less if their areas differ, (stratum,)."""
        squares = self._sums(self.unit_areas**2)
        alike = np.divide(self._sums(self.unit_areas) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0)
        not_drawn = 1 - np.minimum(self.units / np.maximum(self.pixels, 1), 1)
        return np.asarray(np.divide(alike, not_drawn, out=np.full(len(squares), np.inf), where=not_drawn > 0))

    def mean(self, values: Values) -> Values:
        """Return the mean over each stratum's area, (stratum,); 0 without units."""
        sums, areas = self._sums(values * self.unit_areas), self._sums(self.unit_areas)
        return np.divide(sums, areas, out=np.zeros(len(areas)), where=areas > 0)

    def total(self, values: Values) -> float:
        """Return the estimated integral over the area of all strata."""
        return float(self.areas @ self.mean(values))

    def variance_of_total(self, values: Values) -> float:
        """Return the estimated variance of `total`, with the correction for finite strata.

        A stratum with a single unit counts as if it had no variance.
        """
        units = np.maximum(self.units, 1)
        relative_area = self.unit_areas * (units / np.maximum(self._sums(self.unit_areas), 1e-300))[self.of_units]
        residual = relative_area * (values - self.mean(values)[self.of_units])
        spread = self._sums(residual**2) / np.maximum(units - 1, 1)
        not_drawn = 1 - np.minimum(self.units / np.maximum(self.pixels, 1), 1)
        return float((self.areas**2 * not_drawn * spread / units).sum())

    def _sums(self, values: Values) -> Values:
        return np.asarray(np.bincount(self.of_units, values, minlength=len(self.pixels)), np.float64)


def area_of(strata: Strata, members: Values) -> Estimate:
    """Return the estimated area of the members (1 or 0 for each unit).

    The interval combines Jeffreys' limits of the strata (Zou and Donner 2008, "Construction of confidence limits about
    effect measures: a general approach", Statistics in Medicine 27). It is nearly that of +-1.96 standard errors where
    all strata have many members and others. Where a large stratum has none in the sample, its variance is estimated as
    0, but it may have some: the upper limit allows for as many as its units can have missed.
    """
    shares = strata.mean(members)
    low, high = _jeffreys(shares, strata.effective_units)
    value = strata.total(members)
    below, above = (float(np.sqrt((strata.areas**2 * (limit - shares) ** 2).sum())) for limit in (low, high))
    error = float(np.sqrt(strata.variance_of_total(members)))
    return Estimate(value, error, max(value - below, 0.0), min(value + above, strata.area))


def _jeffreys(shares: Values, units: Values) -> tuple[Values, Values]:
    """Return the limits of Jeffreys' interval for shares of strata; the shares themselves if all pixels were sampled.

    Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16, section 3.1.
    """
    known = ~np.isfinite(units)
    number = np.where(known, 1.0, units)
    members = shares * number
    low = np.where(shares <= 0, 0, betaincinv(members + 0.5, number - members + 0.5, TAIL))
    high = np.where(shares >= 1, 1, betaincinv(members + 0.5, number - members + 0.5, 1 - TAIL))
    return np.where(known, shares, np.minimum(low, shares)), np.where(known, shares, np.maximum(high, shares))


def share(strata: Strata, part: Values, whole: Values) -> Estimate:
    """Return the ratio of two integrals over all strata, 0..1, as for accuracies; unknown if the whole is 0.

    The variance is that of a ratio of estimates (equation 28). The interval is Wilson's with the effective number of
    units, which stays within 0..1 and covers the truth near 0 and 1, where a normal interval does not (Brown, Cai and
    DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science 16; effective number as in Korn
    and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data", Survey Methodology 24).

    Args:
        strata: strata of the sample.
        part: value of each unit in the part, (unit,).
        whole: value of each unit in the whole, (unit,), at least `part`.
    """
    size = strata.total(whole)
    if size <= 0:
        return UNKNOWN
    value = strata.total(part) / size
    variance = strata.variance_of_total(part - value * whole) / size**2
    low, high = wilson(value, variance, float(np.count_nonzero(whole)))
    return Estimate(value, float(np.sqrt(variance)), low, high)


def wilson(value: float, variance: float, units: float) -> tuple[float, float]:
    """Return the limits of Wilson's interval for a proportion with a variance; `units` count if the variance is 0.

    It is 0 where the units of each stratum are all right or all wrong, which is chance.
    """
    spread = max(value * (1 - value), 0.0)
    effective = spread / variance if variance > ROUNDING * spread > 0 else units
    weight = Z_95**2 / effective
    centre = (value + weight / 2) / (1 + weight)
    half = np.sqrt(weight * spread + weight**2 / 4) / (1 + weight)
    return (0.0 if value <= 0 else float(centre - half)), (1.0 if value >= 1 else float(centre + half))
