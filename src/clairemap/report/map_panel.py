"""The pictures of a region's map or of its sections with data, with ground proportions and north roughly up.

Memory: four pictures of at most MAP_PX pixels per side at a time.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from clairemap.errors import UnreadableFileError
from clairemap.grid.earth import crs_name
from clairemap.grid.points import Size
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window
from clairemap.report.content import DisplaySettings, MapPanel, MapSection
from clairemap.report.frames import frames_of
from clairemap.report.map_key import map_key
from clairemap.report.numbers import count
from clairemap.report.pictures import (
    CONFIDENCE_COLORS,
    SHARE_COLORS,
    count_palette,
    palette_picture,
    percent_picture,
)
from clairemap.report.pixel_geometry import UP_DEG, PixelGeometry, QuarterTurn, north_text, picture_ratio, picture_shape

MAP_PX = 1200  # longest side of the land-cover picture
SIDE_MAP_PX = 720  # longest side of the other maps' pictures
LARGE_MAPS = 4
"""Maximum number of maps in a region whose pictures have these sizes; those of more maps are smaller."""

MAX_MAP_ASPECT = 50.0
"""Maximum ratio of a picture's sides; narrower maps are widened."""

MAX_HEIGHT_RATIO = 1.25
"""Maximum height of a picture over the page width."""


def map_panel(files: MapFiles, display: DisplaySettings, maps: int = 1) -> MapPanel:
    """Return the pictures of one of the region's `maps`, read from its overviews.

    Raises:
        UnreadableFileError: a file is missing or damaged.
    """
    try:
        frames = frames_of(files.landcover)
        with open_raster(files.landcover) as raster:
            grid = GeoBox((raster.height, raster.width), raster.transform, raster.crs)
    except RasterioError as error:
        raise _unreadable_map(files.landcover, error) from None
    whole = Window.whole((int(grid.shape[0]), int(grid.shape[1])))
    geometries = [PixelGeometry.of(grid, window) for window in (whole, *frames.windows)]
    turn = next((geometry.turn for geometry in geometries if geometry and geometry.up_deg is not None), QuarterTurn())
    views = [
        MapView(grid, window, geometry, turn)
        for window, geometry in zip((whole, *frames.windows), geometries, strict=True)
    ]
    return MapPanel(
        name=files.name,
        size_text=views[0].map_text,
        sections=tuple(_section(files, view, display, maps) for view in views[1:]),
        sections_in_map=frames.groups,
        far_apart=frames.far_apart,
        key=map_key(views[0].ratio, whole, frames.windows, turn) if frames.windows != (whole,) else None,
    )


def _section(files: MapFiles, view: "MapView", display: DisplaySettings, maps: int) -> MapSection:
    map_px, side_px = (round(px * min(1.0, math.sqrt(LARGE_MAPS / maps))) for px in (MAP_PX, SIDE_MAP_PX))
    codes = view.read(files.landcover, map_px, Resampling.nearest)
    confidence = view.read(files.confidence, side_px, Resampling.average)
    share = view.read(files.optical_share, side_px, Resampling.average)
    scenes = view.read(files.source_count, side_px, Resampling.nearest)
    high, wide = view.turn.size(Size(view.ratio, 1.0))
    bar_m = None if view.geometry is None else _bar_m(view.across_m)
    return MapSection(
        landcover=palette_picture(codes, display.legend.palette),
        confidence=percent_picture(confidence, CONFIDENCE_COLORS),
        optical_share=percent_picture(share, SHARE_COLORS),
        source_count=palette_picture(scenes, count_palette()),
        size_text=view.section_text,
        bar_text=None if bar_m is None else _length(bar_m),
        bar_percent=0.0 if bar_m is None else round(100 * bar_m / view.across_m, 3),
        across_percent=round(100 * min(1.0, MAX_HEIGHT_RATIO * wide / high), 3),
        north_deg=view.arrow_deg,
    )


@dataclass(frozen=True)
class MapView:
    """A window of a map, its geometry on the ground (None without a CRS) and the rotation of its picture."""

    grid: GeoBox
    window: Window
    geometry: PixelGeometry | None
    turn: QuarterTurn

    @property
    def aspect(self) -> float:
        """Height of a pixel over its width on the ground."""
        return 1.0 if self.geometry is None else self.geometry.aspect

    @property
    def ratio(self) -> float:
        """Height over width of the picture before rotation."""
        return picture_ratio(self.window.shape, self.aspect, MAX_MAP_ASPECT)

    def read(self, path: Path, longest_px: int, resampling: Resampling) -> NDArray[np.uint8]:
        """Return the picture (y, x) of a map's file, at most `longest_px` per side."""
        shape = picture_shape(self.window.shape, self.aspect, longest_px, MAX_MAP_ASPECT)
        try:
            with open_raster(path) as raster:
                values: Any = raster.read(
                    1, window=rasterio_window(self.window), out_shape=shape, resampling=resampling
                )
        except RasterioError as error:
            raise _unreadable_map(path, error) from None
        return self.turn.picture(values)

    @property
    def size_m(self) -> Size[float]:
        """Size of the window on the ground, metres; 0 if unknown."""
        if self.geometry is None:
            return Size(0.0, 0.0)
        return Size(self.geometry.down_m * self.window.height, self.geometry.across_m * self.window.width)

    @property
    def across_m(self) -> float:
        """Width of the picture on the ground, metres; 0 if unknown."""
        return self.turn.size(self.size_m).width

    @property
    def arrow_deg(self) -> float | None:
        """Direction of north, degrees clockwise from up; None if unknown or up."""
        north = None if self.geometry is None else self.geometry.north_deg(self.turn)
        return None if north is None or abs(north) < UP_DEG else round(north, 1)

    @property
    def map_text(self) -> str:
        """Size of the map in pixels and on the ground, CRS, and direction of north."""
        height, width = self.window.shape
        size = f"{count(width)} {'pixel' if width == 1 else 'pixels'} wide and {count(height)} high"
        if self.grid.crs is None:
            return ", ".join(word for word in (size, "not georeferenced", self._north) if word)
        return ", ".join(word for word in (size, self._ground, crs_name(self.grid.crs), self._north) if word)

    @property
    def section_text(self) -> str:
        """Rows and columns of the section, size on the ground, and direction of north."""
        area = self.window
        rows, columns = f"{count(area.y0)} to {count(area.y1 - 1)}", f"{count(area.x0)} to {count(area.x1 - 1)}"
        texts = (f"rows {rows}, columns {columns}", self._ground, self._north)
        return ", ".join(word for word in texts if word)

    @property
    def _ground(self) -> str:
        if self.geometry is None:
            return ""
        high, wide = self.size_m
        if min(wide, high) >= 100:
            return f"about {wide / 1000:.1f} × {high / 1000:.1f} km"
        return f"about {_length(wide)} × {_length(high)}"

    @property
    def _north(self) -> str:
        north = "" if self.geometry is None else north_text(self.geometry.north_deg(self.turn))
        if north and self.geometry is not None and self.geometry.varies:
            north += " at the centre only"
        rotated = f"the picture is {self.turn.text}" if self.turn.text else ""
        return ", ".join(word for word in (north, rotated, self._widened) if word)

    @property
    def _widened(self) -> str:
        true = self.window.height * self.aspect / self.window.width
        factor = max(true / self.ratio, self.ratio / true)
        side = "high" if (true < self.ratio) != bool(self.turn.quarters % 2) else "wide"
        return f"drawn {factor:.3g} times too {side}" if factor > 1.01 else ""


def _bar_m(width_m: float) -> float:
    """Return a round length for the scale bar, a tenth to a quarter of the width; metres."""
    power = 10.0 ** math.floor(math.log10(width_m / 4))
    return max(step * power for step in (1, 2, 5) if step * power <= width_m / 4 * 1.000001)


def _length(metres: float) -> str:
    """Return a length with a suitable unit, three significant digits."""
    for unit, size in (("km", 1000.0), ("m", 1.0), ("cm", 0.01)):
        if metres >= size:
            return f"{float(f'{metres / size:.3g}'):g} {unit}"
    return f"{metres * 1000:.2g} mm"


def _unreadable_map(path: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(f"{path}: cannot be read for the report ({error}); delete it and run again")
