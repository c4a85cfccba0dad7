"""Mapping of pixels from one grid to another: an optional displacement, then georeferencing."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.coordinates import (
    PROBES_ALONG_SIDE,
    Coordinates,
    mesh_grid,
    pixel_to_world,
    probe_points,
    world_to_pixel,
)
from clairemap.grid.earth import pixel_to_crs, wrapped_x, x_period
from clairemap.grid.mesh import (
    MESH_PX,
    TOLERANCE_PX,
    aligned_nodes,
    cell_means,
    cells_at,
    differ,
    interpolated,
    midpoints,
    node_positions,
)
from clairemap.grid.points import Shift, Size
from clairemap.grid.scale import plane_pixel_size
from clairemap.grid.window import Window

UNUSUAL_SPAN = 0.5
"""Maximum relative difference between the pixel span in the middle of a grid and the median span."""

OUTSIDE = -1e9
"""Coordinate of pixels for which the projection is not defined; outside every raster."""


class DisplacementField(Protocol):
    """A displacement (dy, dx) in pixels for each position on a grid."""

    def at(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return (dy, dx) at positions (y, x), pixel centres at 0, in the same shape."""


@dataclass(frozen=True)
class PixelMapping:
    """Maps pixels of a target grid to positions in a source grid; pixel centres are at 0.

    If neither grid has a CRS and one has no geotransform, pixels with the same row and column match. If x is periodic,
    coordinates are wrapped to the period that contains the source.
    """

    target: GeoBox
    source: GeoBox
    displacement: DisplacementField | None = None

    def exact(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return the exact source coordinates (y, x) of target coordinates of any shape, without interpolation."""
        if self.displacement is not None:
            dy, dx = self.displacement.at(y, x)
            y, x = y + dy, x + dx
        if self._plain:
            return y, x
        source_y, source_x = transformed(self.target, self.source, y + 0.5, x + 0.5, self._middle_x)
        return finite_or_outside(source_y - 0.5, source_x - 0.5)

    def coordinates(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of a window's pixels, each in the window's shape.

        They are interpolated on a mesh, except in cells whose midpoint deviates by more than `TOLERANCE_PX`. The mesh
        is aligned with the target grid, so that a pixel's coordinates do not depend on the window.
        """
        step = self.mesh_px
        mesh_y, mesh_x = aligned_nodes(window.y0, window.y1, step), aligned_nodes(window.x0, window.x1, step)
        nodes = self.exact(*mesh_grid(mesh_y, mesh_x))
        rows = node_positions(np.arange(window.y0, window.y1), mesh_y)
        cols = node_positions(np.arange(window.x0, window.x1), mesh_x)
        y, x = (interpolated(each, rows, cols) for each in nodes)
        if step > 1:
            exact = self.exact(*mesh_grid(midpoints(mesh_y), midpoints(mesh_x)))
            inexact = differ((cell_means(nodes[0]), cell_means(nodes[1])), exact)
            inside = inexact[cells_at(rows, mesh_y.size)][:, cells_at(cols, mesh_x.size)]
            if inside.any():
                row, col = (each.astype(np.float64) for each in np.nonzero(inside))
                y[inside], x[inside] = self.exact(row + window.y0, col + window.x0)
        return y, x

    def probed(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of the probe points of a window."""
        return self.exact(*probe_points(window))

    @cached_property
    def mesh_px(self) -> int:
        """Side of mesh cells that needs the fewest exact coordinates."""
        costs: dict[int, float] = {}
        step = MESH_PX
        while step >= 1:
            inexact = self._inexact_share(step)
            costs[step] = inexact + 2 / step**2  # per cell one node and one midpoint
            if inexact == 0:
                break
            step //= 2
        return min(costs, key=lambda each: costs[each])

    def _inexact_share(self, step: int) -> float:
        """Return the share of cells in which the interpolation error exceeds `TOLERANCE_PX`."""
        height, width = self.target.shape
        y, x = mesh_grid(
            np.linspace(0, height, PROBES_ALONG_SIDE) // step * step,
            np.linspace(0, width, PROBES_ALONG_SIDE) // step * step,
        )
        around = [self.exact(y + down, x + right) for down in (0, step) for right in (0, step)]
        mean_y, mean_x = (np.asarray(np.mean([corner[axis] for corner in around], axis=0)) for axis in (0, 1))
        return float(differ((mean_y, mean_x), self.exact(y + step / 2, x + step / 2)).mean()) if step > 1 else 0.0

    @cached_property
    def whole_offset_px(self) -> Shift[int] | None:
        """Whole-pixel shift from target to source; None if the grids do not match to `TOLERANCE_PX` everywhere."""
        target = probe_points(Window.whole(self.target.shape.yx))
        return whole_shift(target, self.exact(*target))

    @cached_property
    def source_px_per_target_px(self) -> Size[float]:
        """Size of the target's middle pixel in source pixels; the median if that is not typical (at a pole)."""
        height, width = self.target.shape
        middle = self._spans(np.array([height / 2]), np.array([width / 2]))[:, 0]
        y, x = probe_points(Window.whole(self.target.shape.yx))
        spread = self._spans(y.ravel(), x.ravel())
        known = spread[:, np.isfinite(spread).all(axis=0)]
        median = np.median(known, axis=1) if known.size else middle
        typical = np.isfinite(middle).all() and (np.abs(middle - median) <= UNUSUAL_SPAN * median).all()
        rows, columns = np.where(np.isfinite(median), middle if typical else median, 1.0)
        return Size(float(rows), float(columns))

    def _spans(self, y: Coordinates, x: Coordinates) -> Coordinates:
        """Return the source rows and columns (2, point) that a target pixel spans; infinite if not defined."""
        here, below, right = self.exact(y, x), self.exact(y + 1, x), self.exact(y, x + 1)
        spans = [np.hypot(below[axis] - here[axis], right[axis] - here[axis]) for axis in (0, 1)]
        return np.where(np.array(spans) < abs(OUTSIDE) / 2, spans, np.inf)

    @cached_property
    def source_period_px(self) -> int | None:
        """Number of columns of a global source, whose first column follows the last; None for other sources."""
        period = None if self._plain else period_px(self.source)
        columns = int(self.source.shape[1])
        return columns if period is not None and abs(period - columns) < TOLERANCE_PX else None

    @property
    def half_period_px(self) -> float:
        """Source columns per 180 degrees of longitude; infinite if x is not periodic."""
        period = None if self._plain else x_period(self.source.crs)
        return math.inf if period is None else period / 2 / plane_pixel_size(self.source).width

    @cached_property
    def _middle_x(self) -> float:
        """Source x around which coordinates are wrapped: the source's middle, or the target's for a global source."""
        middle = middle_x(self.source)
        if self.source_period_px is None:
            return middle
        height, width = self.target.shape
        seen, _ = pixel_to_crs(self.target, self.source.crs, height / 2, width / 2)
        return float(seen) if np.isfinite(seen) else middle

    @cached_property
    def _plain(self) -> bool:
        identity = Affine.identity()
        return self.target.crs is None and identity in (self.target.transform, self.source.transform)


def transformed(
    target: GeoBox, source: GeoBox, y: NDArray[Any], x: NDArray[Any], middle: float
) -> tuple[Coordinates, Coordinates]:
    """Return the positions (y, x) on a source grid of positions on a target grid; pixel centres are at .5.

    Not finite where the projection is not defined.

    Args:
        target: grid of the given positions; both grids have a CRS, or neither has.
        source: grid of the result.
        y: rows on the target.
        x: columns on the target, of the same shape.
        middle: x in the source's CRS around which coordinates are wrapped if x is periodic.

    Raises:
        GridError: no transformation between the grids' CRSs is known.
    """
    world_x, world_y = pixel_to_crs(target, source.crs, y, x)
    return world_to_pixel(source, wrapped_x(world_x, middle, x_period(source.crs)), world_y)


def finite_or_outside(y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (y, x), both `OUTSIDE` where one of them is not finite."""
    found = np.isfinite(y) & np.isfinite(x)
    return np.where(found, y, OUTSIDE), np.where(found, x, OUTSIDE)


def whole_shift(here: tuple[Coordinates, Coordinates], there: tuple[Coordinates, Coordinates]) -> Shift[int] | None:
    """Return the whole-pixel shift from points (y, x) to others; None if it is not whole to `TOLERANCE_PX`."""
    (y, x), (other_y, other_x) = here, there
    offset = Shift(round(float(np.median(other_y - y))), round(float(np.median(other_x - x))))
    error = max(np.abs(other_y - y - offset.dy).max(), np.abs(other_x - x - offset.dx).max())
    return offset if error <= TOLERANCE_PX else None


def middle_x(grid: GeoBox) -> float:
    """Return x of a grid's middle, in its CRS."""
    height, width = grid.shape
    x, _ = pixel_to_world(grid, height / 2, width / 2)
    return float(x)


def period_px(grid: GeoBox) -> float | None:
    """Return the number of columns per 360 degrees of longitude; None if x is not periodic or the grid is rotated."""
    period = x_period(grid.crs)
    return None if period is None or grid.transform.b or grid.transform.d else period / abs(grid.transform.a)
