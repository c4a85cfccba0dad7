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
from clairemap.accuracy.estimators import Z_95, Estimate, wilson
from clairemap.accuracy.zones import OUTSIDE_ZONES, Zones
from clairemap.artefacts.sample_design import DesignUnit
from clairemap.classes import Legend
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.metrics.class_areas import PixelArea
from clairemap.raster.source import RasterSource

WINDOW_PX = 512
LEAST_REST = 1e-9
"""Share of the map in no zone below which it is a rounding error."""

FEWEST_IN_A_ZONE = 20
"""Units in a zone below which its areas are not estimated: see `coverage_rare` of benchmarks/area.py."""


@dataclass(frozen=True)
class ZoneCounts:
    """Zones of an assessed map: names, zone of each unit of the design, and counted area of each class in hectares.

    `of_units` is (unit,), with `OUTSIDE` for units in no zone; `class_ha` is (zone, class).
    """

    names: tuple[str, ...]
    of_units: NDArray[np.int32]
    class_ha: NDArray[np.float64]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ZoneAreas:
    """Areas of the classes in a zone.

    Attributes:
        name: name of the zone.
        counted_ha: area of each class's pixels, (class,).
        units: units in the zone.
        ha: estimated area of each class, (class,); None with too few units.
    """

    name: str
    counted_ha: NDArray[np.float64]
    units: int
    ha: tuple[Estimate, ...] | None


def counted_by_zone(landcover: Path, zones: Zones, legend: Legend) -> NDArray[np.float64]:
    """Return the area of each class in each zone in square metres, (zone, class); pixels at borders count in part.

    Reads windows of 512 x 512 px that have data.

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
    sample: InterpretedSample, zones: ZoneCounts, used: NDArray[np.bool_], all_ha: NDArray[np.float64]
) -> list[ZoneAreas]:
    """Return the areas of each zone, and of the ground in no zone if there is any.

    Generalised regression estimator with the map as the auxiliary variable (Särndal, Swensson and Wretman 1992, "Model
    Assisted Survey Sampling", section 10.5): the zone's counted areas, corrected by the confusion on the whole map, and
    by the sample's deviations from it in the zone. It holds whether or not the strata are divided by zone.

    Args:
        sample: interpreted sample; the areas of its strata are in hectares.
        zones: the zones.
        used: which units of the design are in the sample, (unit,).
        all_ha: counted area of the classes on the whole map, (class,).
    """
    of_units = zones.of_units[used]
    regression = _Regression.of(sample)
    found = [
        _zone(regression, of_units == place, name, zones.class_ha[place]) for place, name in enumerate(zones.names)
    ]
    rest = np.maximum(all_ha - zones.class_ha.sum(0), 0)
    if rest.sum() <= LEAST_REST * all_ha.sum():
        return found
    return [*found, _zone(regression, of_units == OUTSIDE, OUTSIDE_ZONES, rest)]


@dataclass(frozen=True)
class _Regression:
    """A sample, and the shares of the reference classes (columns) in each mapped class (rows), (class, class)."""

    sample: InterpretedSample
    shares: NDArray[np.float64]

    @classmethod
    def of(cls, sample: InterpretedSample) -> "_Regression":
        """Return the confusion that a sample estimates."""
        cells = np.array(
            [
                [sample.strata.total(((sample.mapped == row) & (sample.reference == column)).astype(float))
                 for column in range(sample.classes)]
                for row in range(sample.classes)
            ]
        )  # fmt: skip
        whole = cells.sum(1, keepdims=True)
        # A class that is mapped at no unit: taken for right.
        return cls(sample, np.divide(cells, whole, out=np.eye(sample.classes), where=whole > 0))

    def area(self, index: int, inside: NDArray[np.bool_], counted: NDArray[np.float64]) -> Estimate:
        """Return the area of a class in a part of the map with counted areas (class,), in their unit.

        The interval is the wider one of Wilson's and of +-1.96 standard errors at each limit. An estimate above 0 does
        not mean that a member was found, as Wilson's lower limit supposes: it may come from the confusion elsewhere.
        """
        strata, whole = self.sample.strata, counted.sum()
        expected = self.shares[self.sample.mapped, index]
        deviation = inside * ((self.sample.reference == index) - expected)
        share = (float(counted @ self.shares[:, index]) + strata.total(deviation)) / whole
        value = min(max(share, 0.0), 1.0)
        variance = strata.variance_of_total(deviation) / whole**2
        error = float(np.sqrt(variance))
        low, high = wilson(value, variance, float(inside.sum()))
        limits = min(low, max(share - Z_95 * error, 0.0)), max(high, min(share + Z_95 * error, 1.0))
        return Estimate(*(whole * each for each in (value, error, *limits)))


def _zone(regression: _Regression, inside: NDArray[np.bool_], name: str, counted_ha: NDArray[np.float64]) -> ZoneAreas:
    units = int(inside.sum())
    if units < FEWEST_IN_A_ZONE:
        return ZoneAreas(name, counted_ha, units, None)
    classes = range(regression.sample.classes)
    return ZoneAreas(name, counted_ha, units, tuple(regression.area(index, inside, counted_ha) for index in classes))
