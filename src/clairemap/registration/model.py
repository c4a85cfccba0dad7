"""Displacement models: offset of SAR content on the optical grid from its georeferenced position."""

import math
from dataclasses import dataclass, replace

import numpy as np

from clairemap.artefacts.registration import TERMS, DisplacementModel, Kind
from clairemap.grid.coordinates import Coordinates, probe_points
from clairemap.grid.points import Point, Shift
from clairemap.grid.window import Window

MIN_TIES: dict[Kind, int] = {"translation": 1, "similarity": 2, "affine": 3, "polynomial": 6}
"""Minimum number of ties that determine a model, simplest kind first. A similarity is rotation, scale and shift."""


def terms(kind: Kind, v: Coordinates, u: Coordinates) -> Coordinates:
    """Return the model terms (…, term) at normalised coordinates: 1, u, v, u², uv, v²."""
    columns = [np.ones_like(u), u, v, u * u, u * v, v * v][: TERMS[kind]]
    return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class Displacement(DisplacementModel):
    """Displacement model with evaluation; y points down. SAR content for (y, x) is at (y + dy, x + dx)."""

    @classmethod
    def of(cls, model: DisplacementModel) -> "Displacement":
        """Return a model from registration.json as one that can be evaluated."""
        return cls(model.kind, model.dy_px, model.dx_px, model.centre, model.scale_px)

    @property
    def coefficients(self) -> DisplacementModel:
        """The model as stored in registration.json."""
        return DisplacementModel(self.kind, self.dy_px, self.dx_px, self.centre, self.scale_px)

    @classmethod
    def translation(cls, dy_px: float, dx_px: float) -> "Displacement":
        """Return a constant displacement."""
        return cls("translation", (dy_px,), (dx_px,))

    def shifted(self, dy_px: float, dx_px: float) -> "Displacement":
        """Return the model plus a constant displacement."""
        return replace(
            self, dy_px=(self.dy_px[0] + dy_px, *self.dy_px[1:]), dx_px=(self.dx_px[0] + dx_px, *self.dx_px[1:])
        )

    def at(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return (dy, dx) at pixel centres (y, x), of the same shape."""
        if self.kind == "translation":
            return np.full_like(y, self.dy_px[0]), np.full_like(x, self.dx_px[0])
        centre_y, centre_x = self.centre
        v, u = (y - centre_y) / self.scale_px, (x - centre_x) / self.scale_px
        of = terms(self.kind, v, u)
        return np.asarray(of @ np.array(self.dy_px)), np.asarray(of @ np.array(self.dx_px))

    def at_point(self, point: Point[float]) -> Shift[float]:
        """Return the displacement at a pixel centre."""
        dy, dx = self.at(np.array([point.y]), np.array([point.x]))
        return Shift(float(dy[0]), float(dx[0]))

    def at_places(self, places: Coordinates) -> Coordinates:
        """Return the displacements (place, 2) at places (place, 2), y first."""
        return np.stack(self.at(places[:, 0], places[:, 1]), axis=-1)

    def over(self, shape: tuple[int, int]) -> Coordinates:
        """Return the displacements (point, 2) at points on a regular grid over a scene, corners included."""
        y, x = probe_points(Window.whole(shape))
        return self.at_places(np.stack([y.ravel(), x.ravel()], axis=-1))

    def mean_px(self, shape: tuple[int, int]) -> Shift[float]:
        """Return the mean displacement over a scene."""
        dy, dx = self.over(shape).mean(axis=0)
        return Shift(float(dy), float(dx))

    def rms_px(self, shape: tuple[int, int]) -> float:
        """Return the root mean square displacement over a scene."""
        return math.sqrt(float((self.over(shape) ** 2).sum(axis=1).mean()))


NO_DISPLACEMENT = Displacement.translation(0.0, 0.0)
