"""Robust consensus of tie points on a linear displacement, and its significance against chance."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clairemap.artefacts.registration import TERMS, Kind
from clairemap.grid.points import Point
from clairemap.registration.model import MIN_TIES, Displacement, terms

PointsYX = NDArray[np.float64]
"""Coordinates or displacements (point, 2), y first."""

Inliers = NDArray[np.bool_]

MAX_TRIPLES = 3000
"""Random triples of ties to try."""

RANK_TOLERANCE = 1e-9
"""Singular values below this share of the largest count as 0: the ties are collinear or coincide."""

MIN_AREA_SHARE = 0.05
"""Minimum area of a triple's triangle, as a share of the largest: slender triangles extrapolate."""


@dataclass(frozen=True)
class Frame:
    """Normalised coordinates for fitting: 0 at the scene's centre, 1 at half its longer side."""

    centre: Point[float]
    scale_px: float

    @classmethod
    def of(cls, shape: tuple[int, int]) -> "Frame":
        """Return the frame of a scene of (height, width)."""
        return cls(Point((shape[0] - 1) / 2, (shape[1] - 1) / 2), max(*shape, 2) / 2)

    def design(self, kind: Kind, places: PointsYX) -> PointsYX:
        """Return the model terms (point, term) at places (point, 2)."""
        v, u = ((places - self.centre) / self.scale_px).T
        return terms(kind, v, u)

    def solve(
        self, kind: Kind, places: PointsYX, offsets: PointsYX, weights: NDArray[np.float64]
    ) -> Displacement | None:
        """Return the weighted least-squares model of ties; None if the ties do not determine it."""
        if np.count_nonzero(weights) < MIN_TIES[kind]:
            return None
        if kind == "similarity":
            return self._similarity(places, offsets, weights)
        column = weights[:, None]
        found = np.linalg.lstsq(self.design(kind, places) * column, offsets * column, rcond=RANK_TOLERANCE)
        return self.model(kind, found[0]) if found[2] == TERMS[kind] else None

    def _similarity(self, places: PointsYX, offsets: PointsYX, weights: NDArray[np.float64]) -> Displacement | None:
        """Return the model with dy = a + c v - d u and dx = b + d v + c u."""
        one, u, v = self.design("affine", places).T
        none = np.zeros_like(one)
        rows = np.concatenate([np.stack([one, none, v, -u], axis=1), np.stack([none, one, u, v], axis=1)])
        column = np.concatenate([weights, weights])
        found = np.linalg.lstsq(rows * column[:, None], offsets.T.ravel() * column, rcond=RANK_TOLERANCE)
        a, b, c, d = found[0]
        return self.model("similarity", np.array([[a, b], [-d, c], [c, d]])) if found[2] == len(found[0]) else None

    def model(self, kind: Kind, coefficients: NDArray[np.floating[Any]]) -> Displacement:
        """Return the displacement with coefficients (term, 2)."""
        dy, dx = (tuple(float(value) for value in column) for column in coefficients.T)
        return Displacement(kind, dy, dx, self.centre, self.scale_px)


def consensus_inliers(
    places: PointsYX, offsets: PointsYX, frame: Frame, radius_px: float, max_gradient: float
) -> Inliers:
    """Return the inliers (tie,) of the affine displacement with the best consensus; none with fewer than three ties.

    Random triples of ties propose displacements. Each tie within the radius votes; closer ties have more weight.

    Args:
        places: positions of the ties (tie, 2) in pixels.
        offsets: displacements of the ties (tie, 2) in pixels.
        frame: coordinates in which the displacement is linear.
        radius_px: maximum residual of an inlier.
        max_gradient: maximum change of the displacement per pixel; steeper proposals are discarded.

    Source: P. Torr and A. Zisserman, MLESAC, Computer Vision and Image Understanding 2000 (its bounded loss).
    """
    none = np.zeros(len(places), np.bool_)
    if len(places) < TERMS["affine"]:
        return none
    design = frame.design("affine", places)
    draws = np.random.default_rng(0).integers(0, len(places), (MAX_TRIPLES, TERMS["affine"]))
    area = np.abs(np.linalg.det(design[draws]))
    draws = draws[area > max(MIN_AREA_SHARE * float(area.max()), 1e-9)]
    if not len(draws):
        return none
    proposals = np.linalg.solve(design[draws], offsets[draws])
    proposals = proposals[np.abs(proposals[:, 1:]).max(axis=(1, 2)) <= max_gradient * frame.scale_px]
    votes = [_votes(design @ proposal - offsets, radius_px) for proposal in proposals]
    if not votes:
        return none
    residuals = design @ proposals[int(np.argmax(votes))] - offsets
    return np.asarray((residuals**2).sum(axis=1) < radius_px**2)


def _votes(residuals: PointsYX, radius_px: float) -> float:
    return float(np.maximum(1 - (residuals**2).sum(axis=1) / radius_px**2, 0).sum())


def log10_false_alarms(inliers: float, ties: float, chosen: int, single: float) -> float:
    """Return log10 of the expected number of equally large inlier groups between unrelated images.

    Each of `ties` is near a given displacement with probability `single`. The displacement is one of all that
    `chosen` of the ties define (0: it was not computed from ties).

    Source: L. Moisan and B. Stival, A probabilistic criterion to detect rigid point matches, IJCV 2004.
    """
    if inliers <= chosen:
        return math.inf
    tail = math.log(max(special.betainc(inliers - chosen, max(ties - inliers, 0) + 1, single), 1e-300))
    choices = special.gammaln(ties + 1) - special.gammaln(chosen + 1) - special.gammaln(max(ties - chosen, 0) + 1)
    return (tail + choices) / math.log(10)
