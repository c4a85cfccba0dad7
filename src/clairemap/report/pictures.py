"""Pictures of the page: maps in colours, tiles from their stores, drawn registrations. Memory: one tile at a time."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageColor

from clairemap.artefacts.statistics import BandStatistics
from clairemap.classes import IGNORE_INDEX, MAP_NODATA
from clairemap.errors import StoreError, UnreadableFileError
from clairemap.grid.points import Size
from clairemap.grid.window import Window
from clairemap.raster.most_probable import most_probable
from clairemap.raster.store import GridStore
from clairemap.report.content import DisplaySettings, Picture, Stretch, TilePictures
from clairemap.report.pixel_geometry import UP_DEG, PixelGeometry, north_text, oriented, oriented_aspect, picture_shape
from clairemap.report.style import COUNT_KEY
from clairemap.validity import Validity, has_none

TILE_PX = 256  # maximum side of a tile's pictures
MAX_TILE_ASPECT = 32.0  # maximum ratio of their sides
CONFIDENCE_COLORS = "viridis"
SHARE_COLORS = "PuOr_r"
_EMPTY = (236, 236, 232)  # nodata in a tile's pictures
ERROR_COLORS = ((205, 220, 205), (200, 30, 60))
"""Colours of pixels whose class is that of the label, and of those with another one."""

RgbValues = NDArray[np.uint8]


def palette_picture(values: NDArray[np.uint8], palette: Mapping[int, tuple[int, ...]]) -> Picture:
    """Return values in a palette's colours as a palette PNG; nodata is transparent."""
    table = np.zeros((256, 3), np.uint8)
    for value, rgb in palette.items():
        table[value] = rgb
    image = Image.fromarray(values)
    image.putpalette(table.tobytes())
    return encoded(image, "PNG", optimize=True, transparency=MAP_NODATA)


def count_palette() -> dict[int, tuple[int, ...]]:
    """Return the colour of each number of scenes, 1 to 254."""
    colors = [ImageColor.getrgb(color) for color, _ in COUNT_KEY]
    return {number: colors[min(number, len(colors)) - 1] for number in range(1, MAP_NODATA)}


def percent_picture(percent: NDArray[np.uint8], colors: str) -> Picture:
    """Return percentages in a colour map; nodata is transparent."""
    table = (colormaps[colors](np.arange(101) / 100) * 255).round().astype(np.uint8)
    rgba = table[np.minimum(percent, 100)]
    rgba[percent == MAP_NODATA] = 0
    return encoded(Image.fromarray(rgba), "WEBP", quality=80, method=6)


def gradient_css(colors: str) -> str:
    """Return a colour map as the stops of a CSS gradient, for the key below a picture."""
    stops = colormaps[colors](np.linspace(0, 1, 9))[:, :3] * 255
    return ", ".join(f"rgb({red:.0f} {green:.0f} {blue:.0f})" for red, green, blue in stops)


def encoded(image: Image.Image, kind: str, **options: Any) -> Picture:  # noqa: ANN401 - Pillow's own
    """Return an image as a ``data:`` URL; equal images give equal text."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return as_picture(buffer.getvalue(), f"image/{kind.lower()}", Size(image.height, image.width))


def as_picture(data: bytes, media_type: str, size: Size[int]) -> Picture:
    """Return a file's bytes as a ``data:`` URL; `size` is in pixels."""
    return Picture(f"data:{media_type};base64,{base64.b64encode(data).decode()}", size.width, size.height)


def registration_picture(path: Path, scene: str) -> Picture:
    """Return the ``registration.png`` of a scene, compressed for the page.

    Raises:
        UnreadableFileError: the file is missing, damaged, or of another scene.
    """
    try:
        with Image.open(path) as image:
            image.load()  # the text entries may follow the pixels
            shown = str(image.info["scene"])
            picture = encoded(image.convert("RGB"), "WEBP", quality=82, method=6)
    except (OSError, KeyError, SyntaxError) as error:
        raise UnreadableFileError(
            f"{path}: not a valid registration picture ({error!r:.300}); delete it and run again"
        ) from None
    if shown != scene:
        raise UnreadableFileError(f"{path}: picture of scene {shown!r}, expected {scene!r}; delete it and run again")
    return picture


def tile_pictures(pair: GridStore, probabilities: GridStore, window: Window, display: DisplaySettings) -> TilePictures:
    """Return the pictures of a tile of one scene, with ground proportions and north roughly up.

    The map is the most probable class; nodata is grey.

    Raises:
        StoreError: a store is damaged or has no such window.
    """
    flags = pair.read("validity", window)
    label = pair.read("label", window)
    mapped = most_probable(probabilities.read("probability", window)).index
    has_labels = bool((label != IGNORE_INDEX).any())
    geometry = PixelGeometry.of(pair.geobox, window)
    north = None if geometry is None else geometry.north_deg(geometry.turn)
    return TilePictures(
        optical=_optical_picture(pair, window, has_none(flags, Validity.OPTICAL_NODATA), display, geometry),
        sar=_sar_picture(pair, window, has_none(flags, Validity.SAR_NODATA), display, geometry),
        landcover=_index_picture(mapped, _class_colors(display), geometry),
        truth=_index_picture(label, _class_colors(display), geometry) if has_labels else None,
        errors=_index_picture(errors(label, mapped), ERROR_COLORS, geometry) if has_labels else None,
        north_text="" if north is None or abs(north) < UP_DEG else north_text(north),
    )


def index_picture(index: NDArray[np.uint8], colors: Sequence[tuple[int, ...]]) -> Picture:
    """Return class indices in their colours as a palette PNG; nodata is transparent."""
    return palette_picture(index, dict(enumerate(colors)))


def errors(label: NDArray[np.uint8], mapped: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return 0 where the class is that of the label, 1 where it is another, 255 without a label or a class."""
    known = (label != IGNORE_INDEX) & (mapped != MAP_NODATA)
    return np.where(known, label != mapped, MAP_NODATA).astype(np.uint8)


def display_stretch(statistics: BandStatistics, bands: Sequence[str], source: Path) -> Stretch:
    """Return the values shown as black and white for a sensor's bands, in the order of `bands`.

    Raises:
        StoreError: a band has no statistics; the text names the file `source`.
    """
    if missing := [band for band in bands if band not in statistics.bands]:
        raise StoreError(
            f"{source}: no statistics of the bands {missing}, only of {list(statistics.bands)}; delete it and run "
            "fit_statistics again"
        )
    positions = [statistics.bands.index(band) for band in bands]
    return Stretch(
        tuple(statistics.p02[position] for position in positions),
        tuple(statistics.p98[position] for position in positions),
    )


def _optical_picture(
    pair: GridStore, window: Window, valid: NDArray[np.bool_], display: DisplaySettings, geometry: PixelGeometry | None
) -> Picture | None:
    if not valid.any():
        return None
    shown = optical_bands(display)
    values = pair.read("optical", window)[list(shown)].astype(np.float32)
    return _photograph(contrast_stretched(values, display.optical, shown), valid, geometry)


def _sar_picture(
    pair: GridStore, window: Window, valid: NDArray[np.bool_], display: DisplaySettings, geometry: PixelGeometry | None
) -> Picture | None:
    if not valid.any():
        return None
    shown = sar_bands(display)
    values = np.nan_to_num(pair.read("sar", window)[list(shown)].astype(np.float32))
    return _photograph(contrast_stretched(values, display.sar, shown), valid, geometry)


def optical_bands(display: DisplaySettings) -> tuple[int, ...]:
    """Return the positions of the optical bands shown as red, green and blue, or of the one shown in grey."""
    return display.sensors.optical.display_positions


def sar_bands(display: DisplaySettings) -> tuple[int, ...]:
    """Return the positions of the SAR bands shown as red, green and blue, or of the one shown in grey."""
    return (0, 1, 0) if len(display.sensors.sar.names) > 1 else (0,)


def contrast_stretched(values: NDArray[np.float32], limits: Stretch, bands: tuple[int, ...]) -> RgbValues:
    """Return bands (band, y, x) as RGB bytes (y, x, 3); one or two bands become grey."""
    chosen = bands if len(bands) == 3 else bands[:1] * 3
    low = np.array([limits.low[band] for band in chosen], np.float32)
    high = np.array([limits.high[band] for band in chosen], np.float32)
    channels = np.moveaxis(values if len(bands) == 3 else values[[0, 0, 0]], 0, -1)
    share = np.clip((channels - low) / np.maximum(high - low, 1e-9), 0, 1)
    shown: RgbValues = (255 * share**0.85).round().astype(np.uint8)
    return shown


def _photograph(rgb: RgbValues, valid: NDArray[np.bool_], geometry: PixelGeometry | None) -> Picture:
    rgb[~valid] = _EMPTY
    image = Image.fromarray(oriented(geometry, rgb)).reduce(_reduction(valid.shape))
    return encoded(_on_ground(image, geometry, Image.Resampling.BILINEAR), "WEBP", quality=82, method=6)


def _class_colors(display: DisplaySettings) -> list[tuple[int, ...]]:
    return [c.rgb for c in display.legend.classes]


def _index_picture(
    index: NDArray[np.uint8], colors: Sequence[tuple[int, ...]], geometry: PixelGeometry | None
) -> Picture:
    table = np.full((256, 3), _EMPTY, np.uint8)
    table[: len(colors)] = colors
    step = _reduction(index.shape)
    image = Image.fromarray(np.ascontiguousarray(oriented(geometry, index)[::step, ::step]))
    image.putpalette(table.tobytes())
    return encoded(_on_ground(image, geometry, Image.Resampling.NEAREST), "PNG", optimize=True)


def _on_ground(image: Image.Image, geometry: PixelGeometry | None, resampling: Image.Resampling) -> Image.Image:
    """Return a tile's image with ground proportions; very narrow tiles are widened."""
    height, width = picture_shape((image.height, image.width), oriented_aspect(geometry), TILE_PX, MAX_TILE_ASPECT)
    return image if image.size == (width, height) else image.resize((width, height), resampling)


def _reduction(shape: tuple[int, ...]) -> int:
    return max(1, math.ceil(max(shape) / TILE_PX))
