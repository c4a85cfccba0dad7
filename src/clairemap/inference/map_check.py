"""Whether a region's maps are what they have to be: valid files on one grid, with the values they may have."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.windows
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rio_cogeo.cogeo import cog_validate

from clairemap.artefacts.map_check import MapFacts
from clairemap.classes import MAP_NODATA
from clairemap.errors import MapCheckError
from clairemap.grid.mapping import middle_x, transformed
from clairemap.grid.mesh import TOLERANCE_PX
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster.histogram import VALUES, histogram
from clairemap.raster.opening import is_stored, open_raster
from clairemap.raster.overviews import Shrink
from clairemap.raster.source import rasterio_window

CHECK_WINDOW_PX = 2048
MAP_REMEDY = "delete the map and run again; if it comes back, report it"


@dataclass(frozen=True)
class CheckedMap:
    """A map, the values that it may have besides nodata, and how its overviews were made."""

    path: Path
    allowed: frozenset[int]
    overviews: Shrink


def map_facts(maps: Sequence[CheckedMap], grid: GeoBox) -> list[MapFacts]:
    """Return what the maps hold, if nothing is wrong with them.

    Each is a strictly valid COG (without overviews if it is one pixel wide) on the grid, with one band of ``uint8``,
    nodata 255, values that it may have, and overviews whose values all occur in it (or, of averages, lie within its
    range); all have nodata at the same pixels.
    Read by windows of 2048 px where any map holds data: time and memory follow the data, not the grid.

    Args:
        maps: at least one.
        grid: the region's grid.

    Raises:
        MapCheckError: the first fault that was found, with file, value and remedy.
    """
    for checked in maps:
        _check_file(checked.path)
    with ExitStack() as stack:
        opened = [stack.enter_context(_opened(checked.path)) for checked in maps]
        for dataset in opened:
            _check_band(dataset)
            _check_grid(dataset, grid)
        counts = _counted(opened)
        for checked, count in zip(maps, counts, strict=True):
            _check_values(checked.path, "holds", count, checked.allowed)
        levels = [_check_overviews(checked, count) for checked, count in zip(maps, counts, strict=True)]
    return [
        MapFacts(level, {int(v): int(count[v]) for v in np.flatnonzero(count)})
        for count, level in zip(counts, levels, strict=True)
    ]


def _check_file(path: Path) -> None:
    try:
        _, faults, warnings = cog_validate(path, quiet=True)
        with open_raster(path) as dataset:
            if dataset.width == 1:  # rio-cogeo refuses the overviews that it recommends
                warnings = [text for text in warnings if "overviews" not in text]
    except (RasterioError, OSError) as error:
        raise MapCheckError(f"{path}: can't be read ({error}); {MAP_REMEDY}") from None
    if faults or warnings:
        raise MapCheckError(f"{path}: is not a valid COG: {'; '.join([*faults, *warnings])}; {MAP_REMEDY}")


def _opened(path: Path, **options: int) -> Any:  # noqa: ANN401 - rasterio has no types
    try:
        return open_raster(path, **options)
    except RasterioError as error:
        raise MapCheckError(f"{path}: can't be read ({error}); {MAP_REMEDY}") from None


def _check_band(dataset: DatasetReader) -> None:
    if (dataset.count, dataset.dtypes) != (1, ("uint8",)):
        types = ", ".join(dataset.dtypes)
        raise MapCheckError(
            f"{dataset.name}: has {dataset.count} band(s) of {types} instead of 1 of uint8; {MAP_REMEDY}"
        )


def _check_grid(dataset: DatasetReader, grid: GeoBox) -> None:
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    if dataset.shape != shape:
        raise MapCheckError(f"{dataset.name}: has {dataset.shape} px, the region's grid {shape}; {MAP_REMEDY}")
    if dataset.nodata != MAP_NODATA:
        raise MapCheckError(f"{dataset.name}: has nodata {dataset.nodata} instead of {MAP_NODATA}; {MAP_REMEDY}")
    if (dataset.crs is None) != (grid.crs is None):
        raise MapCheckError(f"{dataset.name}: has the CRS {dataset.crs}, the region's grid {grid.crs}; {MAP_REMEDY}")
    away = _furthest_corner_px(dataset, grid)
    if not away < TOLERANCE_PX:
        raise MapCheckError(
            f"{dataset.name}: lies up to {away:.3g} px off the region's grid (transform {tuple(dataset.transform)[:6]} "
            f"in {dataset.crs}, the grid's {tuple(grid.transform)[:6]} in {grid.crs}); {MAP_REMEDY}"
        )


def _furthest_corner_px(dataset: DatasetReader, grid: GeoBox) -> float:
    """Return how far a corner is from where the grid has it. A CRS that a file spells otherwise is no fault."""
    own = GeoBox(dataset.shape, dataset.transform, None if dataset.crs is None else dataset.crs.to_wkt())
    height, width = dataset.shape
    y, x = np.array([0.0, 0, height, height]), np.array([0.0, width, 0, width])
    found_y, found_x = transformed(own, grid, y, x, middle_x(grid))
    return float(np.abs([found_y - y, found_x - x]).max())


def _counted(opened: Sequence[DatasetReader]) -> list[NDArray[np.int64]]:
    """Return how many pixels of each map have each value."""
    counts = [np.zeros(VALUES, np.int64) for _ in opened]
    for window in _windows(opened[0].shape):
        if not any(is_stored(dataset, window) for dataset in opened):
            for count in counts:
                count[MAP_NODATA] += window.height * window.width
            continue
        area, first = rasterio_window(window), None
        for dataset, count in zip(opened, counts, strict=True):
            values = _read(dataset, area)
            count += histogram(values)
            absent = values == MAP_NODATA
            first = absent if first is None else first
            if not np.array_equal(absent, first):
                y, x = np.argwhere(absent != first)[0] + (area.row_off, area.col_off)
                raise MapCheckError(
                    f"{dataset.name}: at row {y}, column {x} only one of it and {opened[0].name} has nodata; "
                    f"{MAP_REMEDY}"
                )
    return counts


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    return (tile.window for tile in tiles(shape, CHECK_WINDOW_PX))


def _read(dataset: DatasetReader, area: rasterio.windows.Window) -> NDArray[np.uint8]:
    try:
        values: NDArray[np.uint8] = dataset.read(1, window=area)
    except RasterioError as error:
        raise MapCheckError(f"{dataset.name}: is damaged at {area} ({error}); {MAP_REMEDY}") from None
    return values


def _check_values(path: Path, what: str, count: NDArray[np.int64], allowed: frozenset[int]) -> None:
    if foreign := sorted(set(np.flatnonzero(count).tolist()) - allowed - {MAP_NODATA}):
        known = ", ".join(map(str, sorted(allowed)))
        raise MapCheckError(f"{path}: {what} {foreign[:5]}, which are neither nodata nor among {known}; {MAP_REMEDY}")


def _check_overviews(checked: CheckedMap, count: NDArray[np.int64]) -> int:
    """Return how many overviews a map has; their values occur in the map, those of averages lie within its range."""
    present = frozenset(np.flatnonzero(count[:MAP_NODATA]).tolist())
    if checked.overviews == "average" and present:
        present = frozenset(range(min(present), max(present) + 1))
    with _opened(checked.path) as dataset:
        levels = len(dataset.overviews(1))
    for level in range(levels):
        found = np.zeros(VALUES, np.int64)
        with _opened(checked.path, overview_level=level) as overview:
            for window in _windows(overview.shape):
                if is_stored(overview, window):
                    found += histogram(_read(overview, rasterio_window(window)))
        _check_values(checked.path, f"overview {level + 1} holds", found, present)
    return levels
