"""Areas of a map's classes by zone: counted with fractions of pixels, and estimated from a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from clairemap.accuracy.assessment import InterpretedSample
from clairemap.accuracy.draw import OUTSIDE
from clairemap.accuracy.estimators import Estimate, share
from clairemap.accuracy.zones import OUTSIDE_ZONES, Zones
from clairemap.artefacts.sample_design import DesignUnit
from clairemap.classes import Legend
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.metrics.class_areas import PixelArea
from clairemap.raster.source import RasterSource

WINDOW_PX = 1024
LEAST_REST = 1e-9
"""Share of the map in no zone below which it is a rounding error."""

FEWEST_IN_A_ZONE = 20
"""Units in a zone below which its areas are not estimated: see `coverage_rare` of benchmarks/area.py."""


@dataclass(frozen=True)
class ZoneCounts:
    """Zones of an assessed map: names, zone of each unit of the design, and area of each class in square metres.

    `of_units` is (unit,), with `OUTSIDE` for units in no zone; `class_m2` is (zone, class).
    """

    names: tuple[str, ...]
    of_units: NDArray[np.int32]
    class_m2: NDArray[np.float64]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ZoneSample:
    """Areas of the classes in a zone.

    Attributes:
        name: name of the zone.
        counted_m2: area of each class's pixels, (class,).
        units: units in the zone.
        shares: share of each class in the zone's mapped area, (class,); None with too few units.
    """

    name: str
    counted_m2: NDArray[np.float64]
    units: int
    shares: tuple[Estimate, ...] | None


def counted_by_zone(landcover: Path, zones: Zones, legend: Legend) -> NDArray[np.float64]:
    """Return the area of each class in each zone in square metres, (zone, class); pixels at borders count in part.

    Reads windows of 1024 x 1024 px that have data.

    Raises:
        UnreadableFileError: the map is damaged.
    """
    index_of = np.full(256, len(legend), np.int64)
    index_of[legend.codes] = np.arange(len(legend))
    found = np.zeros((len(zones.names), len(legend) + 1))
    with RasterSource(landcover) as source:
        pixel_area = PixelArea.of(source.geobox)
        for tile in tiles(source.shape, WINDOW_PX):
            window = tile.window
            if not source.is_stored(window):
                continue
            parts = list(zones.within(window))
            if not parts:
                continue
            block = source.read(window, (1,))
            classes = np.where(block.valid, index_of[block.values[0]], len(legend)).ravel()
            m2 = _areas_m2(pixel_area, window).ravel()
            for zone, polygon in parts:
                pixels, coverage = _coverage(polygon, window)
                found[zone] += np.bincount(classes[pixels], m2[pixels] * coverage, minlength=len(legend) + 1)
    return found[:, :-1]


def _areas_m2(pixel_area: PixelArea, window: Window) -> NDArray[np.float64]:
    areas = np.empty(window.shape)
    for part in pixel_area.uniform_windows(window):
        areas[part.relative_to(window).slices] = pixel_area.of_rows(part)[:, None]
    return areas


def _coverage(polygon: BaseGeometry, window: Window) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pixels of a window that a polygon covers, as positions in it, and the covered share of each."""
    moved = shapely.transform(polygon, lambda points: (points - [window.x0, window.y0]) * [1, -1])
    if shapely.area(moved) >= window.height * window.width:
        count = window.height * window.width
        return np.arange(count), np.ones(count)
    grid = NumPyRasterSource(np.zeros(window.shape, np.uint8), xmin=0, xmax=window.width, ymin=-window.height, ymax=0)
    feature = {"type": "Feature", "geometry": shapely.geometry.mapping(moved), "properties": {}}
    (found,) = exact_extract(grid, [feature], ["cell_id", "coverage"])
    return found["properties"]["cell_id"].astype(np.int64), found["properties"]["coverage"].astype(np.float64)


def zones_of_units(zones: Zones, units: Sequence[DesignUnit]) -> NDArray[np.int32]:
    """Return the zone of each unit, (unit,), or `OUTSIDE`."""
    return np.array([zones.of_pixels(Window(unit.row, unit.column, 1, 1))[0, 0] for unit in units], np.int32)


def by_zone(
    sample: InterpretedSample, zones: ZoneCounts, used: NDArray[np.bool_], all_m2: NDArray[np.float64]
) -> list[ZoneSample]:
    """Return the areas of each zone, and of the ground in no zone if there is any.

    A zone's classes are estimated as shares of its mapped area, which is known (combined ratio estimator; Cochran 1977,
    "Sampling Techniques", section 6.11). This holds whether or not the strata are divided by zone.

    Args:
        sample: interpreted sample.
        zones: the zones.
        used: which units of the design are in the sample, (unit,).
        all_m2: counted area of the classes on the whole map, (class,).
    """
    of_units = zones.of_units[used]
    found = [_zone(sample, of_units == place, name, zones.class_m2[place]) for place, name in enumerate(zones.names)]
    rest = np.maximum(all_m2 - zones.class_m2.sum(0), 0)
    if rest.sum() <= LEAST_REST * all_m2.sum():
        return found
    return [*found, _zone(sample, of_units == OUTSIDE, OUTSIDE_ZONES, rest)]


def _zone(
    sample: InterpretedSample, inside: NDArray[np.bool_], name: str, counted_m2: NDArray[np.float64]
) -> ZoneSample:
    units, whole = int(inside.sum()), inside.astype(np.float64)
    shares = tuple(share(sample.strata, whole * (sample.reference == index), whole) for index in range(sample.classes))
    return ZoneSample(name, counted_m2, units, shares if units >= FEWEST_IN_A_ZONE else None)
