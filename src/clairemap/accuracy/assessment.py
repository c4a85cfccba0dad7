"""Accuracy and areas of a map from an interpreted sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.accuracy.estimators import Estimate, Strata, Values, area_of, share

FEWEST_UNITS = 2
"""Units in a stratum below which its variance cannot be computed, unless they are all of its pixels."""


@dataclass(frozen=True)
class InterpretedSample:
    """Sample units with a reference class.

    Attributes:
        mapped: class of each unit in the map, 0-based, (unit,).
        reference: class of each unit after interpretation, 0-based, (unit,).
        strata: strata from which the units were drawn.
        classes: number of classes.
    """

    mapped: NDArray[np.intp]
    reference: NDArray[np.intp]
    strata: Strata
    classes: int


@dataclass(frozen=True)
class Assessment:
    """Estimates of a map's accuracy, 0..1, and of its classes' areas, in the unit of the strata's areas.

    Attributes:
        overall: overall accuracy.
        users: user's accuracy of each class; unknown for classes that are not mapped at any unit.
        producers: producer's accuracy of each class; unknown for classes without reference units.
        f1: harmonic mean of both, estimated as one ratio.
        areas: area of each class.
        matrix: share of the area by mapped class and reference class, (class, class); the sum is 1.
        design_effect: variance of the overall accuracy relative to a simple random sample of equal size; NaN without
            error.
    """

    overall: Estimate
    users: tuple[Estimate, ...]
    producers: tuple[Estimate, ...]
    f1: tuple[Estimate, ...]
    areas: tuple[Estimate, ...]
    matrix: Values
    design_effect: float

    @property
    def quantity_disagreement(self) -> float:
        """Share of the area that is wrong because the map has too much or too little of classes.

        Pontius and Millones 2011, "Death to Kappa: birth of quantity disagreement and allocation disagreement for
        accuracy assessment", International Journal of Remote Sensing 32.
        """
        return float(np.abs(self.matrix.sum(1) - self.matrix.sum(0)).sum() / 2)

    @property
    def allocation_disagreement(self) -> float:
        """Share of the area that is wrong although the classes' areas agree (same source)."""
        return 1 - float(np.trace(self.matrix)) - self.quantity_disagreement


def assess(sample: InterpretedSample) -> Assessment:
    """Return the estimates of an interpreted sample.

    Raises:
        ValueError: a stratum of several pixels has fewer than 2 units, or one of a single pixel has none.
    """
    strata = sample.strata
    if (few := np.flatnonzero(strata.units < np.minimum(strata.pixels, FEWEST_UNITS))).size:
        raise ValueError(f"strata {few.tolist()} have fewer than {FEWEST_UNITS} units; the variance is unknown")
    everywhere = np.ones(len(sample.mapped))
    right = sample.mapped == sample.reference
    mapped = [_as_values(sample.mapped == index) for index in range(sample.classes)]
    reference = [_as_values(sample.reference == index) for index in range(sample.classes)]
    overall = share(strata, _as_values(right), everywhere)
    pairs = list(zip(mapped, reference, strict=True))
    return Assessment(
        overall=overall,
        users=tuple(share(strata, there * here, there) for there, here in pairs),
        producers=tuple(share(strata, there * here, here) for there, here in pairs),
        f1=tuple(share(strata, 2 * there * here, there + here) for there, here in pairs),
        areas=tuple(area_of(strata, here) for here in reference),
        matrix=np.array([[strata.total(row * column) for column in reference] for row in mapped]) / strata.area,
        design_effect=_design_effect(overall, len(sample.mapped)),
    )


def _design_effect(overall: Estimate, units: int) -> float:
    simple = overall.value * (1 - overall.value) / units
    return overall.standard_error**2 / simple if simple > 0 else float("nan")


def _as_values(members: NDArray[np.bool_]) -> Values:
    return members.astype(np.float64)
