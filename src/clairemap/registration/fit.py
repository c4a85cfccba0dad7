"""Model selection for the displacement of tie points, with errors from left-out ties."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.registration import Kind
from clairemap.registration.consensus import Frame, Inliers, PointsYX
from clairemap.registration.model import MIN_TIES, Displacement

INLIER_RADIUS_PX = 2.0
"""Maximum residual of an inlier, in pixels of the matching grid; ties scatter by 1.4 px."""

ITERATIONS = 12
"""Iterations of reweighted least squares; the weights converge earlier."""

CELLS_PER_SIDE = 4
"""Cells along each side of the scene, for cross-validation and coverage."""

SUPPORT_FACTOR = 2
"""A model needs this many times its minimum number of ties as inliers, in as many cells."""

MIN_ERRORS_APART = 2.0
"""Minimum difference of a more complex model from the simpler one, in its standard errors."""

MIN_DIFFERENCE = 0.15
"""Minimum difference of a more complex model from the simpler one, as a share of the inlier radius. Overlapping windows
share errors, so cross-validation and split halves are too optimistic where ties are very precise."""


@dataclass(frozen=True)
class Ties:
    """Tie points as arrays: places and displacements (tie, 2), y first, in pixels of a scene of `shape`.

    Inliers are within `radius_px` of a model. `overlap` is the mean number of windows over a pixel: that many ties
    count as one independent observation.
    """

    places: PointsYX
    offsets: PointsYX
    shape: tuple[int, int]
    radius_px: float = INLIER_RADIUS_PX
    overlap: float = 1.0

    @property
    def frame(self) -> Frame:
        """Coordinates of the models' coefficients."""
        return Frame.of(self.shape)

    @property
    def cells(self) -> NDArray[np.int64]:
        """Cell number of each tie, row by row."""
        return cell_numbers(self.places, self.shape)

    def residuals(self, model: Displacement) -> NDArray[np.float64]:
        """Return the distance of each tie from a model (tie,), in pixels."""
        apart = self.offsets - model.at_places(self.places)
        return np.hypot(apart[:, 0], apart[:, 1])

    def inliers(self, model: Displacement) -> Inliers:
        """Return the inlier mask of a model (tie,)."""
        return self.residuals(model) < self.radius_px

    def select(self, kept: Inliers) -> "Ties":
        """Return the ties selected by a mask (tie,)."""
        return replace(self, places=self.places[kept], offsets=self.offsets[kept])


def cell_numbers(places: PointsYX, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the cell number of each place (point, 2), row by row."""
    cells = (places / np.array(shape) * CELLS_PER_SIDE).astype(np.int64).clip(0, CELLS_PER_SIDE - 1)
    return np.asarray(cells[:, 0] * CELLS_PER_SIDE + cells[:, 1])


def fit_model(ties: Ties, kind: Kind, start: Displacement) -> Displacement:
    """Return the model of a kind fitted near a first guess; the guess if the ties do not determine the model.

    Iteratively reweighted least squares with Tukey's biweight: ties beyond the radius have weight 0. The radius shrinks
    from twice the inlier radius to the inlier radius.
    """
    model = start
    for reach in np.geomspace(2 * ties.radius_px, ties.radius_px, ITERATIONS):
        weights = np.maximum(1 - (ties.residuals(model) / reach) ** 2, 0)
        better = ties.frame.solve(kind, ties.places, ties.offsets, weights)
        if better is None:
            return model
        model = better
    return model


def select_model(ties: Ties, start: Displacement, kinds: Sequence[Kind], min_gain: float) -> Displacement:
    """Return the simplest model that the ties support.

    A more complex model needs enough inliers in enough cells, a mean square residual of left-out ties lower by the
    share `min_gain`, and a difference from the simpler model larger than its own error.
    """
    best = fit_model(ties, kinds[0], start)
    loss = _left_out_loss(ties, best)
    for kind in kinds[1:]:
        complex_model = fit_model(ties, kind, start)
        if complex_model.kind != kind or not _is_supported(ties, complex_model):
            continue
        candidate = _left_out_loss(ties, complex_model)
        if candidate < (1 - min_gain) * loss and _differs(ties, best, complex_model):
            best, loss = complex_model, candidate
    return best


def _is_supported(ties: Ties, model: Displacement) -> bool:
    inliers = ties.inliers(model)
    needed = SUPPORT_FACTOR * MIN_TIES[model.kind]
    return inliers.sum() / ties.overlap >= needed and len(np.unique(ties.cells[inliers])) >= needed


def _differs(ties: Ties, simple: Displacement, rich: Displacement) -> bool:
    error = split_half_px(ties, rich)
    places = ties.places[ties.inliers(rich)]
    if error is None:
        return False
    return _rms_difference_px(simple, rich, places) > max(MIN_ERRORS_APART * error, MIN_DIFFERENCE * ties.radius_px)


def _rms_difference_px(first: Displacement, second: Displacement, places: PointsYX) -> float:
    """Return the root mean square distance of two models over places (point, 2)."""
    return math.sqrt(float(((first.at_places(places) - second.at_places(places)) ** 2).sum(axis=1).mean()))


def left_out_residuals(ties: Ties, model: Displacement) -> NDArray[np.float64]:
    """Return the distance of each tie from a model of the same kind fitted without the tie's cell (tie,), in pixels."""
    residuals = np.empty(len(ties.places))
    for part in np.unique(ties.cells):
        out = ties.cells == part
        residuals[out] = ties.select(out).residuals(fit_model(ties.select(~out), model.kind, model))
    return residuals


def left_out_rmse_px(ties: Ties, model: Displacement) -> float:
    """Return the root mean square of the left-out residuals, each bounded by the inlier radius."""
    bounded = np.minimum(left_out_residuals(ties, model), ties.radius_px)
    return math.sqrt(float((bounded**2).mean())) if len(bounded) else ties.radius_px


def _left_out_loss(ties: Ties, model: Displacement) -> float:
    return left_out_rmse_px(ties, model) ** 2


def split_half_px(ties: Ties, model: Displacement) -> float | None:
    """Return the standard error of a model's displacement at its inliers, in pixels; None with too few ties.

    It is half the root mean square distance of two models fitted to disjoint halves of the ties. Cells alternate
    between the halves like the squares of a chessboard, so that neither half extrapolates and overlapping windows are
    mostly in the same half.
    """
    rows, cols = np.divmod(ties.cells, CELLS_PER_SIDE)
    black = (rows + cols) % 2 == 0
    inliers = ties.inliers(model)
    if min(int((inliers & half).sum()) for half in (black, ~black)) < 2 * MIN_TIES[model.kind]:
        return None
    first, second = (fit_model(ties.select(half), model.kind, model) for half in (black, ~black))
    return _rms_difference_px(first, second, ties.places[inliers]) / 2
