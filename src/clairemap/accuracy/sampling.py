"""Sample of a land-cover map: strata counted, sizes chosen, pixels drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.accuracy.draw import OUTSIDE, DrawnUnits, TooFewPixelsError, draw, priorities
from clairemap.accuracy.map_digest import map_digest
from clairemap.accuracy.sizes import allocated, units_for
from clairemap.accuracy.strata import Stratification, ZoneOf
from clairemap.artefacts.sample_design import DesignStratum, DesignUnit, SampleDesign
from clairemap.errors import SampleError
from clairemap.grid.window import Window
from clairemap.metrics.class_areas import PixelArea
from clairemap.raster.source import RasterSource

LOWEST_ID, HIGHEST_ID = 10**9, 2**31 - 1
"""Ids are random whole numbers of 10 digits, since AcATaMa and Collect Earth Online need numbers of 32 bits. They
depend on seed and position and say nothing about the stratum."""


@dataclass(frozen=True)
class SampleSize:
    """Wanted size of a sample.

    Attributes:
        units: size of the whole sample; None: from `half_width`.
        half_width: wanted half-width of a 95 % interval, as a share of the map.
        expected: expected user's accuracy of each class of the legend, (class,).
        per_stratum: fewest units in a stratum.
        of_class: class whose area the interval is of, 0-based; None: it is of the overall accuracy.
        buffer_share: share of the sample in the buffer, if more than in proportion.
    """

    units: int | None
    half_width: float
    expected: NDArray[np.float64]
    per_stratum: int
    of_class: int | None = None
    buffer_share: float = 0

    def of(self, pixels: NDArray[np.int64], stratification: Stratification) -> NDArray[np.int64]:
        """Return the units of each stratum, (stratum,)."""
        sizes = pixels.astype(np.float64)
        zones = max(len(stratification.zones), 1)
        of_classes = sizes.reshape(zones, -1).sum(0)[: len(self.expected)]
        users, shares = self.expected, of_classes / of_classes.sum()
        buffer = stratification.buffer
        if self.of_class is None:
            expected = [*users, users.min()]
        else:
            mine = self.of_class
            # What is wrong is of the other classes in proportion to their mapped areas.
            others = (1 - users) * shares[mine] / np.maximum(1 - shares, shares[mine])
            beside = 1 - users.min() if buffer and buffer.around == mine else others.mean()
            expected = [*np.where(np.arange(len(users)) == mine, users, others), beside]
        chosen = np.array(expected if buffer else expected[:-1])
        units = self.units or units_for(sizes, np.tile(chosen, zones), self.half_width)
        at_least = np.full((zones, len(chosen)), self.per_stratum)
        if buffer:
            near = sizes.reshape(zones, -1)[:, -1]
            wanted = np.ceil(self.buffer_share * units * near / max(near.sum(), 1))
            at_least[:, -1] = np.maximum(at_least[:, -1], wanted)
        return allocated(units, sizes, at_least.ravel())


@dataclass(frozen=True)
class _Counted:
    pixels: NDArray[np.int64]
    areas_m2: NDArray[np.float64]
    method: str


def sample_of(
    landcover: Path,
    stratification: Stratification,
    size: SampleSize,
    *,
    seed: int,
    distance_px: float,
    stamp: dict[str, str],
    zone_of: ZoneOf | None = None,
) -> SampleDesign:
    """Return the design of a random sample of a map's pixels.

    Reads the map twice, in windows of 1024 x 1024 px.

    Raises:
        SampleError: the map is empty or has no CRS, or a stratum has too few pixels with the wanted distance.
        UnreadableFileError: the map is damaged.
    """
    with RasterSource(landcover) as source:
        windows = partial(stratification.windows, source, zone_of)
        counted = _counted(source, stratification, zone_of)
        if not counted.pixels.sum():
            raise SampleError(f"{landcover}: has no mapped pixel in the zones, so there is nothing to sample")
        units = size.of(counted.pixels, stratification)
        try:
            drawn = draw(windows, counted.pixels, units, width=source.shape[1], seed=seed, distance_px=distance_px)
        except TooFewPixelsError as error:
            raise SampleError(
                f"{landcover}: stratum {stratification.names[error.stratum]!r} has {error.found} units at a distance "
                f"of {distance_px:g} px, but {error.wanted} are wanted; reduce accuracy.distance_px or the sample"
            ) from None
        crs = source.geobox.crs
        return SampleDesign(
            stamp=stamp,
            map=landcover.name.removesuffix(".landcover.tif"),
            map_sha256=map_digest(source),
            height=source.shape[0],
            width=source.shape[1],
            transform=tuple(source.geobox.transform)[:6],
            crs=crs.to_wkt() if crs else "",
            seed=seed,
            distance_px=distance_px,
            area_method=counted.method,
            strata=tuple(
                DesignStratum(name, int(pixels), float(area), int(count))
                for name, pixels, area, count in zip(
                    stratification.names, counted.pixels, counted.areas_m2, units, strict=True
                )
            ),
            units=_design_units(source, drawn, counted.pixels, units, seed),
        )


def _counted(source: RasterSource, stratification: Stratification, zone_of: ZoneOf | None) -> _Counted:
    """Return pixels and area of each stratum."""
    pixel_area = PixelArea.of(source.geobox)
    if not pixel_area.known:
        raise SampleError(f"{source.path}: the area of its pixels is {pixel_area.method}; assign a CRS to the scenes")
    count = len(stratification.names)
    pixels, areas = np.zeros(count, np.int64), np.zeros(count)
    for window, strata in stratification.windows(source, zone_of):
        for part in pixel_area.uniform_windows(window):
            of_rows = _counts_by_row(strata[part.relative_to(window).slices], count)
            pixels += of_rows.sum(0)
            areas += pixel_area.of_rows(part) @ of_rows
    return _Counted(pixels, areas, pixel_area.method)


def _counts_by_row(strata: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Return the pixels of each stratum in each row, (row, stratum)."""
    step = count + 1
    keys = strata - OUTSIDE + np.arange(len(strata), dtype=np.int64)[:, None] * step
    return np.bincount(keys.ravel(), minlength=len(strata) * step).reshape(len(strata), step)[:, 1:]


def _design_units(
    source: RasterSource, drawn: DrawnUnits, pixels: NDArray[np.int64], units: NDArray[np.int64], seed: int
) -> tuple[DesignUnit, ...]:
    ids = _ids(drawn, source.shape[1], seed)
    chance = units / np.maximum(pixels, 1)
    codes = codes_at(source, drawn.rows, drawn.columns)
    areas = _areas_at(source.geobox, drawn.rows, drawn.columns)
    return tuple(
        DesignUnit(name, int(row), int(column), int(stratum), int(rank), int(code), float(area), float(chance[stratum]))
        for name, row, column, stratum, rank, code, area in zip(
            ids, drawn.rows, drawn.columns, drawn.strata, drawn.ranks, codes, areas, strict=True
        )
    )


def _ids(drawn: DrawnUnits, width: int, seed: int) -> list[str]:
    """Return an id for each unit. Of two units with the same number, the one of higher rank gets another."""
    position = drawn.rows * width + drawn.columns
    ids = np.zeros(len(position), np.uint64)
    waiting = np.lexsort((drawn.strata, drawn.ranks))
    attempt = 1
    while len(waiting):
        numbers = LOWEST_ID + priorities(position[waiting], seed + attempt) % np.uint64(HIGHEST_ID - LOWEST_ID + 1)
        _, first = np.unique(numbers, return_index=True)
        free = np.zeros(len(waiting), np.bool_)
        free[first] = True
        free &= ~np.isin(numbers, ids)
        ids[waiting[free]] = numbers[free]
        waiting = waiting[~free]
        attempt += 1
    return [str(number) for number in ids]


def codes_at(source: RasterSource, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return the map's code at pixels, (unit,); the map's nodata value where it has no class."""
    found = [
        source.read(Window(row, column, 1, 1), (1,)).values[0, 0, 0]
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return np.array(found, np.uint8)


def codes_of_units(source: RasterSource, units: Sequence[DesignUnit]) -> NDArray[np.uint8]:
    """Return the map's code at drawn units, as `codes_at`."""
    return codes_at(source, np.array([unit.row for unit in units]), np.array([unit.column for unit in units]))


def _areas_at(geobox: GeoBox, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    pixel_area = PixelArea.of(geobox)
    places = zip(rows.tolist(), columns.tolist(), strict=True)
    return np.array([pixel_area.of_rows(Window(row, column, 1, 1))[0] for row, column in places])
