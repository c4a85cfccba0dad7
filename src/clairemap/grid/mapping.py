"""Where the pixels of one grid lie in another: a displacement, if there is one, then georeferencing."""

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
from clairemap.grid.earth import in_turn, pixel_to_crs, turn_of
from clairemap.grid.mesh import (
    MESH_PX,
    TOLERANCE_PX,
    aligned_nodes,
    cell_means,
    cells_at,
    differ,
    interpolated,
    middles,
    positions,
)
from clairemap.grid.points import Shift, Size
from clairemap.grid.scale import plane_pixel_size
from clairemap.grid.window import Window

UNUSUAL_SPAN = 0.5
"""Share by which the spans of pixels in the middle of a grid may differ from what they are elsewhere."""

OUTSIDE = -1e9
"""Coordinate of pixels that a projection can't transform; outside every raster."""


class DisplacementField(Protocol):
    """A displacement (dy, dx) in pixels for each place of a grid."""

    def at(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return (dy, dx) at pixel centres (y, x; 0 = first), of the same shape."""


@dataclass(frozen=True)
class PixelMapping:
    """Finds for pixels of a target grid where their content lies in a source grid, in pixel centres (0 = first).

    Without a CRS on both sides, and with one of the grids being plain pixels, equal pixels are equal places.
    Where x returns after a full circle of longitude, places are found at the turn in which the source has them.
    """

    target: GeoBox
    source: GeoBox
    displacement: DisplacementField | None = None

    def exact(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of target coordinates of any shape, each computed by itself."""
        if self.displacement is not None:
            dy, dx = self.displacement.at(y, x)
            y, x = y + dy, x + dx
        if self._plain:
            return y, x
        source_y, source_x = transformed(self.target, self.source, y + 0.5, x + 0.5, self._middle_x)
        return reachable(source_y - 0.5, source_x - 0.5)

    def coordinates(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of a window's pixels, each of the window's shape.

        They are computed on a mesh and interpolated bilinearly to `TOLERANCE_PX`; pixel by pixel in cells whose
        middle shows that this is not exact enough: at poles, and where x begins again. The mesh is aligned with the
        target grid, so that a pixel's coordinates do not depend on the window.
        """
        step = self.mesh_px
        mesh_y, mesh_x = aligned_nodes(window.y0, window.y1, step), aligned_nodes(window.x0, window.x1, step)
        nodes = self.exact(*mesh_grid(mesh_y, mesh_x))
        rows = positions(np.arange(window.y0, window.y1), mesh_y)
        cols = positions(np.arange(window.x0, window.x1), mesh_x)
        y, x = (interpolated(each, rows, cols) for each in nodes)
        if step > 1:
            exact = self.exact(*mesh_grid(middles(mesh_y), middles(mesh_x)))
            bent = differ((cell_means(nodes[0]), cell_means(nodes[1])), exact)
            inside = bent[cells_at(rows, mesh_y.size)][:, cells_at(cols, mesh_x.size)]
            if inside.any():
                row, col = (each.astype(np.float64) for each in np.nonzero(inside))
                y[inside], x[inside] = self.exact(row + window.y0, col + window.x0)
        return y, x

    def probed(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) at points spread evenly over a window, its corners among them."""
        return self.exact(*probe_points(window))

    @cached_property
    def mesh_px(self) -> int:
        """Side of the mesh's cells at which the fewest places are computed, as found in cells over the target."""
        costs: dict[int, float] = {}
        step = MESH_PX
        while step >= 1:
            bent = self._bent_share(step)
            costs[step] = bent + 2 / step**2  # a cell has a node and a middle
            if bent == 0:
                break
            step //= 2
        return min(costs, key=lambda each: costs[each])

    def _bent_share(self, step: int) -> float:
        """Return the share of cells in which interpolation is not exact to `TOLERANCE_PX`."""
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
        """How far source pixels are counted further than target pixels, if they are the very same pixels.

        None if the grids differ anywhere by more than `TOLERANCE_PX`, or by a fraction of a pixel.
        """
        target = probe_points(Window.whole(self.target.shape.yx))
        return whole_shift(target, self.exact(*target))

    @cached_property
    def source_px_per_target_px(self) -> Size[float]:
        """Size of a target pixel in source pixels, in the middle of the target.

        Where the middle is unlike most of the target, as at a pole or where x begins again: in most of it.
        """
        height, width = self.target.shape
        middle = self._spans(np.array([height / 2]), np.array([width / 2]))[:, 0]
        y, x = probe_points(Window.whole(self.target.shape.yx))
        spread = self._spans(y.ravel(), x.ravel())
        known = spread[:, np.isfinite(spread).all(axis=0)]
        most = np.median(known, axis=1) if known.size else middle
        usual = np.isfinite(middle).all() and (np.abs(middle - most) <= UNUSUAL_SPAN * most).all()
        rows, columns = np.where(np.isfinite(most), middle if usual else most, 1.0)
        return Size(float(rows), float(columns))

    def _spans(self, y: Coordinates, x: Coordinates) -> Coordinates:
        """Return how many source (rows, columns), (2, point), a target pixel spans at places; infinite if outside."""
        here, below, right = self.exact(y, x), self.exact(y + 1, x), self.exact(y, x + 1)
        spans = [np.hypot(below[axis] - here[axis], right[axis] - here[axis]) for axis in (0, 1)]
        return np.where(np.array(spans) < abs(OUTSIDE) / 2, spans, np.inf)

    @cached_property
    def round_px(self) -> int | None:
        """Columns of a source that goes around the whole Earth: behind the last comes the first. Else None."""
        turn = None if self._plain else turn_px(self.source)
        columns = int(self.source.shape[1])
        return columns if turn is not None and abs(turn - columns) < TOLERANCE_PX else None

    @property
    def half_turn_px(self) -> float:
        """Columns of the source that half a circle of longitude would have; infinite where x doesn't return."""
        turn = None if self._plain else turn_of(self.source.crs)
        return math.inf if turn is None else turn / 2 / plane_pixel_size(self.source).width

    @cached_property
    def _middle_x(self) -> float:
        """The source's x in the middle of its turn: that of its own middle, or of the target's if it has no ends."""
        middle = middle_x(self.source)
        if self.round_px is None:
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
    """Return where positions (y, x) on a target grid lie on a source grid; in both a pixel's centre is at .5.

    Not finite where the projection is not defined.

    Args:
        target: grid of the positions; both grids have a CRS, or neither does.
        source: grid of the result.
        y: rows on the target.
        x: columns on the target, of the same shape.
        middle: x in the source's CRS around which places are found where x returns after a full circle of longitude.

    Raises:
        GridError: no transformation between the grids' CRSs is known.
    """
    world_x, world_y = pixel_to_crs(target, source.crs, y, x)
    return world_to_pixel(source, in_turn(world_x, middle, turn_of(source.crs)), world_y)


def reachable(y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Return coordinates (y, x) with `OUTSIDE` for both where one of them is not finite."""
    found = np.isfinite(y) & np.isfinite(x)
    return np.where(found, y, OUTSIDE), np.where(found, x, OUTSIDE)


def whole_shift(here: tuple[Coordinates, Coordinates], there: tuple[Coordinates, Coordinates]) -> Shift[int] | None:
    """Return the shift by whole pixels from points (y, x) to other points; None if it isn't one to `TOLERANCE_PX`."""
    (y, x), (other_y, other_x) = here, there
    offset = Shift(round(float(np.median(other_y - y))), round(float(np.median(other_x - x))))
    error = max(np.abs(other_y - y - offset.dy).max(), np.abs(other_x - x - offset.dx).max())
    return offset if error <= TOLERANCE_PX else None


def middle_x(grid: GeoBox) -> float:
    """Return the x in a grid's CRS of the grid's middle."""
    height, width = grid.shape
    x, _ = pixel_to_world(grid, height / 2, width / 2)
    return float(x)


def turn_px(grid: GeoBox) -> float | None:
    """Return how many columns a full circle of longitude has on an upright grid; None where x doesn't return."""
    turn = turn_of(grid.crs)
    return None if turn is None or grid.transform.b or grid.transform.d else turn / abs(grid.transform.a)
