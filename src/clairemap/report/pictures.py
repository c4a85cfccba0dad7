"""Pictures small enough for a page: maps from their overviews, tiles from their stores, registrations as drawn.

Memory: one picture of MAP_PX pixels a side, or one tile, at a time.
"""

import base64
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, ImageColor
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from clairemap.classes import IGNORE_INDEX, MAP_NODATA
from clairemap.errors import UnreadableFileError
from clairemap.grid.scale import pixel_height_m, pixel_width_m, up_deg
from clairemap.grid.window import Window
from clairemap.raster.opening import open_raster
from clairemap.raster.store import GridStore
from clairemap.report.content import Look, MapPanel, MapPaths, Picture, Stretch, TilePictures
from clairemap.report.numbers import count
from clairemap.report.style import COUNT_KEY
from clairemap.validity import Validity, has_none

MAP_PX = 1200  # longest side of the land-cover picture
SIDE_MAP_PX = 720  # longest side of the other maps' pictures
TILE_PX = 256  # longest side of a tile's pictures
CONFIDENCE_COLORS = "viridis"
SHARE_COLORS = "PuOr_r"
_EMPTY = (236, 236, 232)  # where a tile's picture has nothing to show
_NICE_M = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000)
NEARLY_NORTH_DEG = 10  # UTM turns by less than this from the middle of its zone to the rim, up to 80 degrees

Rgb = NDArray[np.uint8]


def map_panel(files: MapPaths, look: Look) -> MapPanel:
    """Return the pictures of a map, read from its overviews.

    Raises:
        UnreadableFileError: a file is missing or damaged.
    """
    codes, grid = _overview(files.landcover, MAP_PX, Resampling.nearest)
    confidence, _ = _overview(files.confidence, SIDE_MAP_PX, Resampling.average)
    share, _ = _overview(files.optical_share, SIDE_MAP_PX, Resampling.average)
    scenes, _ = _overview(files.source_count, SIDE_MAP_PX, Resampling.nearest)
    bar_m, width_m = _scale_bar(grid)
    return MapPanel(
        name=files.name,
        landcover=_palette_picture(codes, look.legend.palette),
        confidence=_percent_picture(confidence, CONFIDENCE_COLORS),
        optical_share=_percent_picture(share, SHARE_COLORS),
        source_count=_palette_picture(scenes, _count_palette()),
        size_text=_size_text(grid, width_m),
        bar_text=None if bar_m is None else (f"{bar_m // 1000} km" if bar_m >= 1000 else f"{bar_m} m"),
        bar_percent=0.0 if bar_m is None or width_m is None else round(100 * bar_m / width_m, 3),
    )


def _overview(path: Path, longest_px: int, resampling: Resampling) -> tuple[NDArray[np.uint8], GeoBox]:
    try:
        with open_raster(path) as raster:
            scale = min(1.0, longest_px / max(raster.height, raster.width))
            shape = max(1, round(raster.height * scale)), max(1, round(raster.width * scale))
            values = raster.read(1, out_shape=shape, resampling=resampling)
            return values, GeoBox((raster.height, raster.width), raster.transform, raster.crs)
    except RasterioError as error:
        raise UnreadableFileError(f"{path}: can't be read for the report ({error}); delete it and run again") from None


def _scale_bar(grid: GeoBox) -> tuple[int | None, float | None]:
    """Return a round length of about a fifth of the map's width and that width, in metres; None without a CRS."""
    if grid.crs is None:
        return None, None
    pixel_m = pixel_width_m(grid)
    width = pixel_m * int(grid.shape[1])
    return max((length for length in _NICE_M if length <= width / 4), default=_NICE_M[0]), width


def _size_text(grid: GeoBox, width_m: float | None) -> str:
    height, width = (int(size) for size in grid.shape)
    size = f"{count(width)} pixels wide and {count(height)} high"
    if width_m is None or grid.crs is None:
        return f"{size}, not georeferenced"
    height_km, code = pixel_height_m(grid) * height / 1000, grid.crs.epsg
    name = f"EPSG:{code}" if code else "a CRS of its own"
    return f"{size}, about {width_m / 1000:.1f} × {height_km:.1f} km, {name}, {_up_text(grid)}"


def _up_text(grid: GeoBox) -> str:
    """Return where up is; a grid of a projection around a pole has north elsewhere."""
    directions = up_deg(grid)
    if np.all(np.abs(directions) <= NEARLY_NORTH_DEG):
        return "north is up"
    if not np.isfinite(directions[0]):
        return "its middle is off the Earth"
    bearing = round(float(directions[0]))
    if bearing == 0:
        return "north is up at its middle"
    return f"up is {abs(bearing)}° {'east' if bearing > 0 else 'west'} of north at its middle"


def _palette_picture(values: NDArray[np.uint8], palette: Mapping[int, tuple[int, ...]]) -> Picture:
    """Return values in the palette's colours as a palette PNG, transparent where there is nodata."""
    table = np.zeros((256, 3), np.uint8)
    for value, rgb in palette.items():
        table[value] = rgb
    image = Image.fromarray(values)
    image.putpalette(table.tobytes())
    return encoded(image, "PNG", optimize=True, transparency=MAP_NODATA)


def _count_palette() -> dict[int, tuple[int, ...]]:
    """Return the colour of each number of scenes."""
    colors = [ImageColor.getrgb(color) for color, _ in COUNT_KEY]
    return {number: colors[min(number, len(colors)) - 1] for number in range(1, MAP_NODATA)}


def _percent_picture(percent: NDArray[np.uint8], colors: str) -> Picture:
    """Return percent in a colour map, transparent where there is nodata."""
    table = (colormaps[colors](np.arange(101) / 100) * 255).round().astype(np.uint8)
    rgba = table[np.minimum(percent, 100)]
    rgba[percent == MAP_NODATA] = 0
    return encoded(Image.fromarray(rgba), "WEBP", quality=80, method=6)


def gradient_css(colors: str) -> str:
    """Return a colour map as the stops of a CSS gradient, for the key beneath a picture."""
    stops = colormaps[colors](np.linspace(0, 1, 9))[:, :3] * 255
    return ", ".join(f"rgb({red:.0f} {green:.0f} {blue:.0f})" for red, green, blue in stops)


def encoded(image: Image.Image, kind: str, **options: Any) -> Picture:  # noqa: ANN401 - Pillow's own
    """Return an image as a ``data:`` address; equal images give equal text."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return as_picture(buffer.getvalue(), f"image/{kind.lower()}", image.size)


def as_picture(data: bytes, media_type: str, size: tuple[int, int]) -> Picture:
    """Return a file's bytes as a ``data:`` address; `size` is width and height in pixels."""
    return Picture(f"data:{media_type};base64,{base64.b64encode(data).decode()}", *size)


def registration_picture(path: Path) -> tuple[str, Picture]:
    """Return the scene that a ``registration.png`` shows, and the picture, compressed for the page.

    Raises:
        UnreadableFileError: the file is missing, damaged, or doesn't say which scene it shows.
    """
    try:
        with Image.open(path) as image:
            image.load()  # the text entries may follow the pixels
            scene = str(image.info["scene"])
            return scene, encoded(image.convert("RGB"), "WEBP", quality=82, method=6)
    except (OSError, KeyError, SyntaxError) as error:
        raise UnreadableFileError(f"{path}: can't be shown ({error!r:.300}); delete it and run again") from None


def tile_pictures(pair: GridStore, probabilities: GridStore, window: Window, look: Look) -> TilePictures:
    """Return the pictures of a tile of one scene.

    The map is the most probable class; pixels without a value are grey.

    Raises:
        StoreError: a store is damaged or has no such window.
    """
    flags = pair.read("validity", window)
    label = pair.read("label", window)
    probability = probabilities.read("probability", window)
    best = np.where(probability.max(axis=0) > 0, probability.argmax(axis=0), IGNORE_INDEX)
    return TilePictures(
        optical=_optical_picture(pair, window, has_none(flags, Validity.OPTICAL_NODATA), look),
        sar=_sar_picture(pair, window, has_none(flags, Validity.SAR_NODATA), look),
        landcover=_index_picture(best.astype(np.uint8), look),
        truth=_index_picture(label, look) if (label != IGNORE_INDEX).any() else None,
    )


def _optical_picture(pair: GridStore, window: Window, valid: NDArray[np.bool_], look: Look) -> Picture | None:
    if not valid.any():
        return None
    shown = look.sensors.optical.display_positions
    values = pair.read("optical", window)[list(shown)].astype(np.float32)
    return _photograph(_stretched(values, look.optical, shown), valid)


def _sar_picture(pair: GridStore, window: Window, valid: NDArray[np.bool_], look: Look) -> Picture | None:
    if not valid.any():
        return None
    shown = (0, 1, 0) if len(look.sensors.sar.names) > 1 else (0,)
    values = np.nan_to_num(pair.read("sar", window)[list(shown)].astype(np.float32))
    return _photograph(_stretched(values, look.sar, shown), valid)


def _stretched(values: NDArray[np.float32], limits: Stretch, bands: tuple[int, ...]) -> Rgb:
    """Return bands (band, y, x) as three bytes for each pixel, (y, x, 3); one or two bands become grey."""
    chosen = bands if len(bands) == 3 else bands[:1] * 3
    low = np.array([limits.low[band] for band in chosen], np.float32)
    high = np.array([limits.high[band] for band in chosen], np.float32)
    channels = np.moveaxis(values if len(bands) == 3 else values[[0, 0, 0]], 0, -1)
    share = np.clip((channels - low) / np.maximum(high - low, 1e-9), 0, 1)
    shown: Rgb = (255 * share**0.85).round().astype(np.uint8)
    return shown


def _photograph(rgb: Rgb, valid: NDArray[np.bool_]) -> Picture:
    rgb[~valid] = _EMPTY
    step = _reduction(valid.shape)
    return encoded(Image.fromarray(rgb).reduce(step), "WEBP", quality=82, method=6)


def _index_picture(index: NDArray[np.uint8], look: Look) -> Picture:
    table = np.full((256, 3), _EMPTY, np.uint8)
    table[: len(look.legend)] = [c.rgb for c in look.legend.classes]
    step = _reduction(index.shape)
    image = Image.fromarray(np.ascontiguousarray(index[::step, ::step]))
    image.putpalette(table.tobytes())
    return encoded(image, "PNG", optimize=True)


def _reduction(shape: tuple[int, ...]) -> int:
    return max(1, math.ceil(max(shape) / TILE_PX))
