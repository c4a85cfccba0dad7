"""Where the pixels of one grid lie in another: displacement, then georeferencing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.errors import GridError, NoOverlapError
from clairemap.grid.coordinates import applied
from clairemap.grid.earth import crs_name, crs_of, in_turn, transformer_between, turn_of
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.registration.model import NO_DISPLACEMENT, Coordinates, Displacement

TOLERANCE_PX = 0.01
"""Coordinates this close are the same: a tenth of what the best registration reaches."""

MESH_PX = 32
"""Side of the cells between whose corners coordinates are interpolated; halved until exact to the tolerance."""

PROBES = 9
"""Points along each side of a grid at which two grids are compared."""

RIM_POINTS = 33
"""Points along each side of a grid by which two grids are checked for shared ground."""

UNLIKE = 0.5
"""Share by which the spans of pixels in the middle of a grid may differ from what they are elsewhere."""

OUTSIDE = -1e9
"""Coordinate of pixels that a projection can't carry over; outside every raster."""


@dataclass(frozen=True)
class PixelMapping:
    """Finds for pixels of a target grid where their content lies in a source grid, in pixel centres (0 = first).

    Without a CRS on both sides, and with one of the grids being plain pixels, equal pixels are equal places.
    Where x returns after a full circle of longitude, places are found at the turn in which the source has them.
    """

    target: GeoBox
    source: GeoBox
    model: Displacement = NO_DISPLACEMENT

    def exact(self, y: Coordinates, x: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of target coordinates of any shape, each computed by itself."""
        dy, dx = self.model.at(y, x)
        y, x = y + dy, x + dx
        if self._plain:
            return y, x
        world_x, world_y = applied(self._to_world, x + 0.5, y + 0.5)
        if self._transformer is not None:
            world_x, world_y = self._transformer.transform(world_x, world_y)
        world_x = in_turn(world_x, self._middle_x, self._turn)
        source_x, source_y = applied(self._to_source, world_x, world_y)
        found = np.isfinite(source_x) & np.isfinite(source_y)
        return np.where(found, source_y - 0.5, OUTSIDE), np.where(found, source_x - 0.5, OUTSIDE)

    def coordinates(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) of a window's pixels, each of the window's shape.

        They are computed on a mesh and interpolated bilinearly to `TOLERANCE_PX`; pixel by pixel in cells whose
        middle shows that this isn't right: at poles, and where x begins again. The mesh hangs on the target grid,
        so that a pixel's coordinates do not depend on the window.
        """
        step = self.mesh_px
        mesh_y, mesh_x = _mesh(window.y0, window.y1, step), _mesh(window.x0, window.x1, step)
        nodes = self.exact(*_grid(mesh_y, mesh_x))
        rows, cols = _positions(window.y0, window.y1, mesh_y), _positions(window.x0, window.x1, mesh_x)
        y, x = (_interpolated(each, rows, cols) for each in nodes)
        if step > 1:
            middles = self.exact(*_grid(mesh_y[:-1] + step // 2, mesh_x[:-1] + step // 2))
            bent = _off([np.mean(_corners(each), axis=0) for each in nodes], middles)
            inside = bent[_cells(rows, mesh_y.size)][:, _cells(cols, mesh_x.size)]
            if inside.any():
                row, col = (each.astype(np.float64) for each in np.nonzero(inside))
                y[inside], x[inside] = self.exact(row + window.y0, col + window.x0)
        return y, x

    def probed(self, window: Window) -> tuple[Coordinates, Coordinates]:
        """Return the source coordinates (y, x) at points spread evenly over a window, its corners among them."""
        return self.exact(
            *_grid(np.linspace(window.y0, window.y1 - 1, PROBES), np.linspace(window.x0, window.x1 - 1, PROBES))
        )

    @cached_property
    def mesh_px(self) -> int:
        """Side of the mesh's cells, with which the fewest places are computed, as found in cells over the target."""
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
        """Return the share of cells in which interpolation isn't right to `TOLERANCE_PX`."""
        height, width = self.target.shape
        y, x = _grid(np.linspace(0, height, PROBES) // step * step, np.linspace(0, width, PROBES) // step * step)
        corners = [self.exact(y + down, x + right) for down in (0, step) for right in (0, step)]
        means = [np.mean([corner[axis] for corner in corners], axis=0) for axis in (0, 1)]
        return float(_off(means, self.exact(y + step / 2, x + step / 2)).mean()) if step > 1 else 0.0

    @cached_property
    def whole_offset_px(self) -> tuple[int, int] | None:
        """The (rows, columns) by which source pixels are counted further, if they are the very same pixels.

        None if the grids differ anywhere by more than `TOLERANCE_PX`, or by a fraction of a pixel.
        """
        height, width = self.target.shape
        y, x = _grid(np.linspace(0, height - 1, PROBES), np.linspace(0, width - 1, PROBES))
        source_y, source_x = self.exact(y, x)
        offset_y, offset_x = round(float(np.median(source_y - y))), round(float(np.median(source_x - x)))
        error = max(np.abs(source_y - y - offset_y).max(), np.abs(source_x - x - offset_x).max())
        return (offset_y, offset_x) if error <= TOLERANCE_PX else None

    @cached_property
    def source_px_per_target_px(self) -> tuple[float, float]:
        """How many source pixels (rows, columns) a target pixel spans, in the middle of the target.

        Where the middle is unlike most of the target, as at a pole or where x begins again: in most of it.
        """
        height, width = self.target.shape
        middle = self._spans(np.array([height / 2]), np.array([width / 2]))[:, 0]
        spread = self._spans(
            *(each.ravel() for each in _grid(*(np.linspace(0, s - 1, PROBES) for s in (height, width))))
        )
        known = spread[:, np.isfinite(spread).all(axis=0)]
        most = np.median(known, axis=1) if known.size else middle
        usual = np.isfinite(middle).all() and (np.abs(middle - most) <= UNLIKE * most).all()
        rows, columns = np.where(np.isfinite(most), middle if usual else most, 1.0)
        return float(rows), float(columns)

    def _spans(self, y: Coordinates, x: Coordinates) -> Coordinates:
        """Return how many source (rows, columns), (2, point), a target pixel spans at places; infinite if outside."""
        here, below, right = self.exact(y, x), self.exact(y + 1, x), self.exact(y, x + 1)
        spans = [np.hypot(below[axis] - here[axis], right[axis] - here[axis]) for axis in (0, 1)]
        return np.where(np.array(spans) < abs(OUTSIDE) / 2, spans, np.inf)

    @cached_property
    def round_px(self) -> int | None:
        """Columns of a source that goes around the whole Earth: behind the last comes the first. Else None."""
        matrix = self.source.transform
        if self._turn is None or matrix.b or matrix.d:
            return None
        columns = int(self.source.shape[1])
        return columns if abs(self._turn - columns * abs(matrix.a)) < TOLERANCE_PX * abs(matrix.a) else None

    @property
    def half_turn_px(self) -> float:
        """Columns of the source that half a circle of longitude would have; infinite where x doesn't return."""
        return math.inf if self._turn is None else self._turn / 2 / math.hypot(*self.source.transform[:4:3])

    @cached_property
    def _turn(self) -> float | None:
        return None if self._plain else turn_of(self.source.crs)

    @cached_property
    def _middle_x(self) -> float:
        """The source's x in the middle of its turn: that of its own middle, or of the target's if it has no ends."""
        height, width = self.source.shape
        middle, _ = applied(self.source.transform, width / 2, height / 2)
        if self.round_px is not None:
            height, width = self.target.shape
            seen, y = applied(self._to_world, width / 2, height / 2)
            if self._transformer is not None:
                seen, _ = self._transformer.transform(seen, y)
            middle = seen if np.isfinite(seen) else middle
        return float(middle)

    @cached_property
    def _plain(self) -> bool:
        identity = Affine.identity()
        return self.target.crs is None and identity in (self.target.transform, self.source.transform)

    @cached_property
    def _to_world(self) -> Affine:
        return self.target.transform

    @cached_property
    def _to_source(self) -> Affine:
        inverse: Affine = ~self.source.transform
        return inverse

    @cached_property
    def _transformer(self) -> Any:  # noqa: ANN401 - pyproj's, or None if both have the same CRS
        if self.target.crs == self.source.crs:
            return None
        return transformer_between(crs_of(self.target), crs_of(self.source))


def mapping_between(target: RasterSource, source: RasterSource, model: Displacement = NO_DISPLACEMENT) -> PixelMapping:
    """Return the mapping from one opened raster's grid to another's.

    Raises:
        GridError: just one of the two has a CRS.
        NoOverlapError: they share no ground.
    """
    if (target.geobox.crs is None) != (source.geobox.crs is None):
        bare, placed = (target, source) if target.geobox.crs is None else (source, target)
        raise GridError(
            f"{bare.path} has no CRS, but {placed.path} has {_name(placed)}; "
            "give both a CRS (gdal_edit.py -a_srs and -a_ullr), or take both as plain pixels"
        )
    mapping = PixelMapping(target.geobox, source.geobox, model)
    _check_overlap(mapping, target, source)
    return mapping


def _check_overlap(mapping: PixelMapping, target: RasterSource, source: RasterSource) -> None:
    """Compare the files' ground without the displacement, which the files don't have."""
    there, back = PixelMapping(mapping.target, mapping.source), PixelMapping(mapping.source, mapping.target)
    if _reaches(back) or _reaches(there):
        return
    y, x = back.exact(*_rim(source.shape))
    if (seen := (y > OUTSIDE / 2) & (x > OUTSIDE / 2)).any():
        y, x = y[seen], x[seen]
    raise NoOverlapError(
        f"{target.path} and {source.path} share no ground. Bounds in {_name(target)} "
        f"(left, bottom, right, top): {_bounds(target, *_rim(target.shape))} and {_bounds(target, y, x)}; "
        "correct the pairing in the sample sheet, or the files' georeferencing"
    )


def _reaches(mapping: PixelMapping) -> bool:
    """Return whether one of 32 x 32 cells of the target touches the source; cells that x tears apart don't count."""
    y, x = mapping.exact(*_grid(*(np.linspace(-0.5, size - 0.5, RIM_POINTS) for size in mapping.target.shape)))
    height, width = mapping.source.shape
    (y0, x0), (y1, x1) = ([extreme(_corners(each), axis=0) for each in (y, x)] for extreme in (np.min, np.max))
    touched = (y0 > OUTSIDE / 2) & (x0 > OUTSIDE / 2) & (y1 > -0.5) & (y0 < height - 0.5)
    if mapping.round_px is None:
        touched &= (x1 > -0.5) & (x0 < width - 0.5) & (x1 - x0 < mapping.half_turn_px)
    return bool(touched.any())


def _rim(shape: tuple[int, int]) -> tuple[Coordinates, Coordinates]:
    """Return coordinates of points along the outer edges of a grid."""
    along_y, along_x = (np.linspace(-0.5, size - 0.5, RIM_POINTS) for size in shape)
    y, x = _grid(along_y, along_x)
    rim = np.ones(y.shape, np.bool_)
    rim[1:-1, 1:-1] = False
    return y[rim], x[rim]


def _bounds(grid: RasterSource, y: Coordinates, x: Coordinates) -> str:
    world_x, world_y = applied(grid.geobox.transform, x + 0.5, y + 0.5)
    return f"({world_x.min():.10g}, {world_y.min():.10g}, {world_x.max():.10g}, {world_y.max():.10g})"


def _name(grid: RasterSource) -> str:
    return "pixels" if grid.geobox.crs is None else crs_name(grid.geobox.crs)


def _mesh(start: int, stop: int, step: int) -> Coordinates:
    """Return multiples of `step` from at most `start` to at least ``stop - 1``, two or more."""
    first = start // step
    last = max(-(-(stop - 1) // step), first + 1)
    nodes: Coordinates = np.arange(first, last + 1, dtype=np.float64) * step
    return nodes


def _grid(y: NDArray[Any], x: NDArray[Any]) -> tuple[Coordinates, Coordinates]:
    grid_y, grid_x = np.meshgrid(y.astype(np.float64), x.astype(np.float64), indexing="ij")
    return grid_y, grid_x


def _positions(start: int, stop: int, mesh: Coordinates) -> Coordinates:
    """Return where pixels lie in a mesh, counted in nodes."""
    positions: Coordinates = (np.arange(start, stop) - mesh[0]) / (mesh[1] - mesh[0])
    return positions


def _cells(positions: Coordinates, nodes: int) -> NDArray[np.intp]:
    """Return the mesh's cell in which each position lies."""
    return np.minimum(positions.astype(np.intp), nodes - 2)


def _corners(nodes: Coordinates) -> list[Coordinates]:
    """Return the four corners of each cell."""
    return [nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, :-1], nodes[1:, 1:]]


def _off(means: Sequence[Coordinates], middles: Sequence[Coordinates]) -> NDArray[np.bool_]:
    """Return in which cells the mean of the corners (y, x) isn't the middle to `TOLERANCE_PX`."""
    y, x = (np.abs(mean - middle) > TOLERANCE_PX for mean, middle in zip(means, middles, strict=True))
    return np.asarray(y | x)


def _interpolated(nodes: Coordinates, rows: Coordinates, cols: Coordinates) -> Coordinates:
    left = _cells(cols, nodes.shape[1])
    along = nodes[:, left] + (cols - left) * (nodes[:, left + 1] - nodes[:, left])
    top = _cells(rows, nodes.shape[0])
    part = (rows - top)[:, None]
    return np.asarray(along[top] * (1 - part) + along[top + 1] * part)
