"""Checkerboard pictures of optical and SAR, which show how well the two are aligned."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from clairemap.grid.points import Size
from clairemap.grid.rounding import ceil_div
from clairemap.report.pixel_geometry import UP_DEG, PixelGeometry, QuarterTurn, north_text
from clairemap.report.registration_views import GreyPicture, RegistrationView

PANEL_PX = 256
SQUARES_ALONG_SIDE = 4
MAX_PANEL_ASPECT = 4.0
"""Maximum ratio of a panel's sides."""

DELIVERED, REGISTERED, NOT_MOVED = "as delivered", "registered", "as delivered (not moved)"

Indexes = NDArray[np.uint8]

_SHADES, _INK_LEVELS = 96, 16
_PAPER = (255, 255, 255)
_NODATA_RGB = (214, 224, 236)
_OPTICAL_WHITE, _SAR_WHITE = (255, 255, 255), (255, 232, 190)
_INK_RGB, _QUIET_RGB = (31, 36, 48), (98, 104, 120)
# First index of each section of the palette: shades of both sensors, two text colours, nodata.
_OPTICAL_INDEX, _SAR_INDEX, _STRONG, _SOFT = 0, _SHADES, 2 * _SHADES, 2 * _SHADES + _INK_LEVELS
_NODATA = _SOFT + _INK_LEVELS
_BLANK = _STRONG
_FONT_PX, _LINE_PX, _GAP_PX = 12, 17, 4
_COLUMNS = 2


def checkerboard(first: Indexes, second: Indexes, along_side: int) -> Indexes:
    """Return a checkerboard of two pictures (y, x), `along_side` squares per side, the first at the upper left."""
    height, width = first.shape
    rows, columns = np.ogrid[:height, :width]
    return np.where((rows * along_side // height + columns * along_side // width) % 2 == 0, first, second)


def checkerboard_png(views: Sequence[RegistrationView], scene: str, stamp: Mapping[str, str]) -> bytes:
    """Return the picture of a scene's views as palette PNG; equal arguments give equal bytes.

    Each view is shown with SAR as delivered and as registered, side by side; views without registered SAR fill both
    columns. Rows and columns are those of the optical file; pixels have their aspect on the ground. The PNG's text
    entries are the scene's name and the stamp.
    """
    panels = [panel for view in views for panel in _panels(view)]
    across = views[0].across_px
    legend = [f"grey: optical, sand: SAR, blue: nodata; {across} px wide, squares of {_length_text(across / 4)} px"]
    if north := _north(views[0].geometry):
        legend.append(north)
    image = Image.fromarray(_compose(panels, legend))
    image.putpalette(_palette().tobytes())
    text = PngImagePlugin.PngInfo()
    for name, value in {"scene": scene, **stamp}.items():
        text.add_text(name, value)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()


@dataclass(frozen=True)
class _Panel:
    title: str
    where: str
    picture: Indexes


def _panels(view: RegistrationView) -> list[_Panel]:
    where = f"from row {view.row}, column {view.column}"
    size = _size(1.0 if view.geometry is None else view.geometry.aspect)
    optical = _enlarged(view.optical, _OPTICAL_INDEX, size)
    shown = [(NOT_MOVED, view.delivered)]
    if view.registered is not None:
        shown = [(DELIVERED, view.delivered), (REGISTERED, view.registered)]
    return [
        _Panel(title, where, checkerboard(optical, _enlarged(sar, _SAR_INDEX, size), SQUARES_ALONG_SIDE))
        for title, sar in shown
    ]


def _size(aspect: float) -> Size[int]:
    """Return the panel's size for a square window of pixels with height over width `aspect` on the ground."""
    limited = min(max(aspect, 1 / MAX_PANEL_ASPECT), MAX_PANEL_ASPECT)
    return Size(height=round(PANEL_PX * min(1.0, limited)), width=round(PANEL_PX * min(1.0, 1 / limited)))


def _north(geometry: PixelGeometry | None) -> str:
    """Return the direction of north, or an empty text if north is up and east is right."""
    if geometry is None or geometry.up_deg is None:
        return ""
    north = geometry.north_deg(QuarterTurn()) or 0.0
    if abs(north) < UP_DEG and not geometry.mirrored:
        return ""
    return north_text(north) + (", east and west are swapped" if geometry.mirrored else "")


def _enlarged(picture: GreyPicture, first_shade: int, size: Size[int]) -> Indexes:
    """Return a picture at the panel's size as palette indices from `first_shade`."""
    bytes_ = Image.fromarray((255 * picture.values).round().astype(np.uint8))
    size_px = size.width, size.height
    shade = np.asarray(bytes_.resize(size_px, Image.Resampling.BICUBIC), np.uint16) * (_SHADES - 1) // 255
    valid = np.asarray(Image.fromarray(picture.valid).resize(size_px, Image.Resampling.NEAREST))
    return np.where(valid, first_shade + shade, _NODATA).astype(np.uint8)


def _compose(panels: Sequence[_Panel], legend: Sequence[str]) -> Indexes:
    """Return the panels with their titles in rows of two, and the legend below."""
    high = max(panel.picture.shape[0] for panel in panels)
    step_y, step_x = high + 2 * _LINE_PX + 2 * _GAP_PX, PANEL_PX + _GAP_PX
    rows = ceil_div(len(panels), _COLUMNS)
    canvas = np.full((rows * step_y + len(legend) * _LINE_PX + _GAP_PX, _COLUMNS * step_x - _GAP_PX), _BLANK, np.uint8)
    for index, panel in enumerate(panels):
        top, left = index // _COLUMNS * step_y, index % _COLUMNS * step_x
        _draw_text(canvas, top, left, panel.title, _STRONG)
        _draw_text(canvas, top + _LINE_PX, left, panel.where, _SOFT)
        start = top + 2 * _LINE_PX + _GAP_PX
        height, width = panel.picture.shape
        canvas[start : start + height, left : left + width] = panel.picture
    for line, text in enumerate(legend):
        _draw_text(canvas, rows * step_y + line * _LINE_PX, 0, text, _SOFT)
    return canvas


def _draw_text(canvas: Indexes, top: int, left: int, text: str, ink: int) -> None:
    """Draw a line of text into a picture, in place."""
    strip = canvas[top : top + _LINE_PX, left:]
    mask = Image.new("L", strip.shape[::-1])
    ImageDraw.Draw(mask).text((0, 1), text, fill=255, font=_font())
    level = np.asarray(mask) // (256 // _INK_LEVELS)
    strip[level > 0] = ink + level[level > 0]


def _font() -> Any:  # noqa: ANN401 - Pillow's
    """Return the font of matplotlib, so that pictures are the same on every machine."""
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _FONT_PX)


def _palette() -> Indexes:
    ramps = [_shades((0, 0, 0), white, _SHADES) for white in (_OPTICAL_WHITE, _SAR_WHITE)]
    inks = [_shades(_PAPER, ink, _INK_LEVELS) for ink in (_INK_RGB, _QUIET_RGB)]
    return np.concatenate([*ramps, *inks, np.array([_NODATA_RGB], np.uint8)])


def _shades(first: tuple[int, int, int], last: tuple[int, int, int], count: int) -> Indexes:
    return np.linspace(first, last, count).round().astype(np.uint8)


def _length_text(length: float) -> str:
    return f"{length:.4g}"
