"""Check of a region's maps: valid files on one grid with allowed values."""

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
MAP_REMEDY = "delete the map and run again; if it fails again, report a bug"


@dataclass(frozen=True)
class CheckedMap:
    """A map, its allowed values in addition to nodata, and the resampling of its overviews."""

    path: Path
    allowed: frozenset[int]
    overviews: Shrink


def map_facts(maps: Sequence[CheckedMap], grid: GeoBox) -> list[MapFacts]:
    """Return the pixel counts and overviews of maps that pass all checks.

    Each map must be a strictly valid COG (without overviews if it is one pixel wide) on the grid, with one ``uint8``
    band, nodata 255 and only allowed values. Overviews may contain only values of the map or, if averaged, values in
    its range. All maps must have nodata at the same pixels. Only windows of 2048 px with data are read.

    Args:
        maps: at least one.
        grid: the region's grid.

    Raises:
        MapCheckError: the first fault, with file, value and remedy.
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
            _check_values(f"{checked.path}: values", count, checked.allowed)
        levels = [_check_overviews(checked, count) for checked, count in zip(maps, counts, strict=True)]
    return [
        MapFacts(level, {int(v): int(count[v]) for v in np.flatnonzero(count)})
        for count, level in zip(counts, levels, strict=True)
    ]


def _check_file(path: Path) -> None:
    try:
        _, faults, warnings = cog_validate(path, quiet=True)
        with open_raster(path) as dataset:
            if dataset.width == 1:  # rio-cogeo recommends overviews, but then rejects them
                warnings = [text for text in warnings if "overviews" not in text]
    except (RasterioError, OSError) as error:
        raise MapCheckError(f"{path}: cannot be read ({error}); {MAP_REMEDY}") from None
    if faults or warnings:
        raise MapCheckError(f"{path}: not a valid COG ({'; '.join([*faults, *warnings])}); {MAP_REMEDY}")


def _opened(path: Path, **options: int) -> Any:  # noqa: ANN401 - rasterio has no types
    try:
        return open_raster(path, **options)
    except RasterioError as error:
        raise MapCheckError(f"{path}: cannot be read ({error}); {MAP_REMEDY}") from None


def _check_band(dataset: DatasetReader) -> None:
    if (dataset.count, dataset.dtypes) != (1, ("uint8",)):
        types = ", ".join(dataset.dtypes)
        raise MapCheckError(f"{dataset.name}: {dataset.count} band(s) of {types}, expected 1 of uint8; {MAP_REMEDY}")


def _check_grid(dataset: DatasetReader, grid: GeoBox) -> None:
    shape = (int(grid.shape[0]), int(grid.shape[1]))
    if dataset.shape != shape:
        raise MapCheckError(f"{dataset.name}: shape {dataset.shape}, expected {shape}; {MAP_REMEDY}")
    if dataset.nodata != MAP_NODATA:
        raise MapCheckError(f"{dataset.name}: nodata {dataset.nodata}, expected {MAP_NODATA}; {MAP_REMEDY}")
    if (dataset.crs is None) != (grid.crs is None):
        raise MapCheckError(f"{dataset.name}: CRS {dataset.crs}, expected {grid.crs}; {MAP_REMEDY}")
    offset_px = _max_corner_offset_px(dataset, grid)
    if not offset_px < TOLERANCE_PX:
        raise MapCheckError(
            f"{dataset.name}: offset by up to {offset_px:.3g} px from the region's grid (transform "
            f"{tuple(dataset.transform)[:6]} in {dataset.crs}, expected {tuple(grid.transform)[:6]} in {grid.crs}); "
            f"{MAP_REMEDY}"
        )


def _max_corner_offset_px(dataset: DatasetReader, grid: GeoBox) -> float:
    """Return the largest offset of a corner from the grid; works for CRSs that are equal but written differently."""
    own = GeoBox(dataset.shape, dataset.transform, None if dataset.crs is None else dataset.crs.to_wkt())
    height, width = dataset.shape
    y, x = np.array([0.0, 0, height, height]), np.array([0.0, width, 0, width])
    found_y, found_x = transformed(own, grid, y, x, middle_x(grid))
    return float(np.abs([found_y - y, found_x - x]).max())


def _counted(opened: Sequence[DatasetReader]) -> list[NDArray[np.int64]]:
    """Return the pixels of each value, (256,), for each map."""
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
                    f"{dataset.name}: row {y}, column {x} is nodata in only one of this map and {opened[0].name}; "
                    f"{MAP_REMEDY}"
                )
    return counts


def _windows(shape: tuple[int, int]) -> Iterator[Window]:
    return (tile.window for tile in tiles(shape, CHECK_WINDOW_PX))


def _read(dataset: DatasetReader, area: rasterio.windows.Window) -> NDArray[np.uint8]:
    try:
        values: NDArray[np.uint8] = dataset.read(1, window=area)
    except RasterioError as error:
        raise MapCheckError(f"{dataset.name}: cannot be read at {area} ({error}); {MAP_REMEDY}") from None
    return values


def _check_values(place: str, count: NDArray[np.int64], allowed: frozenset[int]) -> None:
    if invalid := sorted(set(np.flatnonzero(count).tolist()) - allowed - {MAP_NODATA}):
        expected = ", ".join(map(str, sorted(allowed)))
        raise MapCheckError(f"{place} {invalid[:5]}, expected nodata or {expected}; {MAP_REMEDY}")


def _check_overviews(checked: CheckedMap, count: NDArray[np.int64]) -> int:
    """Return the number of overviews of a map, after checking their values."""
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
        _check_values(f"{checked.path}: values in overview {level + 1}", found, present)
    return levels
