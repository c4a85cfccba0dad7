"""The simplest displacement that ties support, and its error as ties tell it that had no part in it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.registration import Kind
from clairemap.registration.consensus import Frame, Inliers, PointsYX
from clairemap.registration.model import LEAST_TIES, Displacement

INLIER_RADIUS_PX = 2.0
"""Ties this near to the model agree with it, in pixels of the grid they were matched on; they scatter by 1.4 px."""

ROUNDS = 12
"""Rounds of reweighting; the weights settle long before."""

PARTS_ALONG_SIDE = 4
"""The scene is divided into as many parts along each side, to leave parts out and to see where ties agree."""

SUPPORT = 2
"""A model must rest on as many times the ties that would determine it, and on as many parts of the scene."""

BEYOND_ERROR = 2.0
"""A richer model must differ from the simpler one by as many of its own standard errors."""

LEAST_DIFFERENCE = 0.15
"""A richer model must differ from the simpler one by this share of the radius within which ties agree: windows that
overlap share their errors, so that left-out ties and halves of the ties promise too much where ties are very good."""


@dataclass(frozen=True)
class Ties:
    """Ties as arrays: places and displacements (tie, 2), y first, in pixels of a scene of `shape`.

    Ties within `radius_px` of a model agree with it. Of `overlap` ties, whose windows hold the same pixels, one
    counts as evidence.
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
    def parts(self) -> NDArray[np.int64]:
        """The part of the scene, counted by rows, in which each tie lies."""
        return part_numbers(self.places, self.shape)

    def residuals(self, model: Displacement) -> NDArray[np.float64]:
        """Return how far each tie lies from a model, in pixels."""
        apart = self.offsets - model.at_places(self.places)
        return np.hypot(apart[:, 0], apart[:, 1])

    def agreeing(self, model: Displacement) -> Inliers:
        """Return which ties agree with a model."""
        return self.residuals(model) < self.radius_px

    def where(self, kept: Inliers) -> "Ties":
        """Return some of the ties."""
        return replace(self, places=self.places[kept], offsets=self.offsets[kept])


def part_numbers(places: PointsYX, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the part of a scene in which each place (point, 2) lies."""
    cells = (places / np.array(shape) * PARTS_ALONG_SIDE).astype(np.int64).clip(0, PARTS_ALONG_SIDE - 1)
    return np.asarray(cells[:, 0] * PARTS_ALONG_SIDE + cells[:, 1])


def fitted(ties: Ties, kind: Kind, start: Displacement) -> Displacement:
    """Return the model of a kind that most ties agree on near a first guess, or the guess if they determine none.

    Least squares, reweighted so that ties further than a radius from the model have no say (Tukey's biweight); the
    radius shrinks to that within which ties agree.
    """
    model = start
    for reach in np.geomspace(2 * ties.radius_px, ties.radius_px, ROUNDS):
        weights = np.maximum(1 - (ties.residuals(model) / reach) ** 2, 0)
        better = ties.frame.solved(kind, ties.places, ties.offsets, weights)
        if better is None:
            return model
        model = better
    return model


def simplest(ties: Ties, start: Displacement, kinds: Sequence[Kind], least_gain: float) -> Displacement:
    """Return the model of the simplest kind that the ties support.

    A richer one is taken if it rests on enough ties in enough parts of the scene, lowers the mean square residual of
    ties in parts that were left out by the share `least_gain`, and differs from the simpler one by more than its own
    error.
    """
    best = fitted(ties, kinds[0], start)
    loss = _left_out_loss(ties, best)
    for kind in kinds[1:]:
        richer = fitted(ties, kind, start)
        if richer.kind != kind or not _carried(ties, richer):
            continue
        candidate = _left_out_loss(ties, richer)
        if candidate < (1 - least_gain) * loss and _distinct(ties, best, richer):
            best, loss = richer, candidate
    return best


def _carried(ties: Ties, model: Displacement) -> bool:
    agreeing = ties.agreeing(model)
    needed = SUPPORT * LEAST_TIES[model.kind]
    return agreeing.sum() / ties.overlap >= needed and len(np.unique(ties.parts[agreeing])) >= needed


def _distinct(ties: Ties, simple: Displacement, rich: Displacement) -> bool:
    error = split_half_px(ties, rich)
    places = ties.places[ties.agreeing(rich)]
    if error is None:
        return False
    return _apart_px(simple, rich, places) > max(BEYOND_ERROR * error, LEAST_DIFFERENCE * ties.radius_px)


def _apart_px(first: Displacement, second: Displacement, places: PointsYX) -> float:
    """Return how far two models lie apart, root mean square over places."""
    return math.sqrt(float(((first.at_places(places) - second.at_places(places)) ** 2).sum(axis=1).mean()))


def left_out_residuals(ties: Ties, model: Displacement) -> NDArray[np.float64]:
    """Return how far each tie lies from a model of the same kind fitted without its part of the scene, in pixels."""
    residuals = np.empty(len(ties.places))
    for part in np.unique(ties.parts):
        out = ties.parts == part
        residuals[out] = ties.where(out).residuals(fitted(ties.where(~out), model.kind, model))
    return residuals


def left_out_rmse_px(ties: Ties, model: Displacement) -> float:
    """Return the root mean square of left-out ties' residuals, bounded by the radius within which ties agree."""
    bounded = np.minimum(left_out_residuals(ties, model), ties.radius_px)
    return math.sqrt(float((bounded**2).mean())) if len(bounded) else ties.radius_px


def _left_out_loss(ties: Ties, model: Displacement) -> float:
    return left_out_rmse_px(ties, model) ** 2


def split_half_px(ties: Ties, model: Displacement) -> float | None:
    """Return the standard error of a model's displacement where ties agree with it; None with too few ties.

    It is half the distance between the models of two disjoint halves of the ties, root mean square over their
    places. The scene's parts are dealt out like the squares of a chessboard, so that neither half extrapolates and
    windows that overlap are mostly in the same one.
    """
    rows, cols = np.divmod(ties.parts, PARTS_ALONG_SIDE)
    black = (rows + cols) % 2 == 0
    agreeing = ties.agreeing(model)
    if min(int((agreeing & half).sum()) for half in (black, ~black)) < 2 * LEAST_TIES[model.kind]:
        return None
    first, second = (fitted(ties.where(half), model.kind, model) for half in (black, ~black))
    return _apart_px(first, second, ties.places[agreeing]) / 2
