"""A picture of how well two sensors lie on each other: squares of the one and of the other in turn.

Where they fit, roads and shores run on from square to square.
"""

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
from clairemap.report.lie import UP_DEG, Lie, Turn, north_text
from clairemap.report.places import Grey, Place

PANEL_PX = 256
SQUARES_ALONG_SIDE = 4
SLENDEREST = 4.0
"""Longer side of a panel over the shorter one, at most."""

DELIVERED, REGISTERED, NOT_MOVED = "as delivered", "registered", "as delivered (not moved)"

Indexes = NDArray[np.uint8]

_SHADES, _INK_LEVELS = 96, 16
_PAPER = (255, 255, 255)
_NOTHING = (214, 224, 236)
_OPTICAL_WHITE, _SAR_WHITE = (255, 255, 255), (255, 232, 190)
_INK, _QUIET = (31, 36, 48), (98, 104, 120)
# Where each part of the palette begins: shades of both sensors, two inks on paper, nodata.
_OPTICAL, _SAR, _STRONG, _SOFT = 0, _SHADES, 2 * _SHADES, 2 * _SHADES + _INK_LEVELS
_NODATA = _SOFT + _INK_LEVELS
_BLANK = _STRONG
_FONT_PX, _LINE_PX, _GAP_PX = 12, 17, 4
_COLUMNS = 2


def chequered(first: Indexes, second: Indexes, along_side: int) -> Indexes:
    """Return squares of two pictures (y, x) in turn, so many along each side, the first one's in the upper left corner.

    They are oblong if the pictures are.
    """
    height, width = first.shape
    rows, columns = np.ogrid[:height, :width]
    return np.where((rows * along_side // height + columns * along_side // width) % 2 == 0, first, second)


def checkerboard_png(places: Sequence[Place], scene: str, stamp: Mapping[str, str]) -> bytes:
    """Return the picture of a scene's places as PNG with a palette; equal arguments give equal bytes.

    Each place has SAR as delivered and, beside it, as registered; places where it stays follow each other in two
    columns. Rows and columns run as in the optical file; pixels are as long and wide as on the ground. The file's text
    entries hold the scene's name and the stamp.
    """
    panels = [panel for place in places for panel in _panels(place)]
    across = places[0].across_px
    legend = [f"grey: optical, sand: SAR, blue: no data; each {across} px across, squares of {_shown(across / 4)} px"]
    if north := _north(places[0].lie):
        legend.append(north)
    image = Image.fromarray(_arranged(panels, legend))
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


def _panels(place: Place) -> list[_Panel]:
    where = f"from row {place.row}, column {place.column}"
    size = _size(1.0 if place.lie is None else place.lie.aspect)
    optical = _enlarged(place.optical, _OPTICAL, size)
    shown = [(NOT_MOVED, place.delivered)]
    if place.registered is not None:
        shown = [(DELIVERED, place.delivered), (REGISTERED, place.registered)]
    return [
        _Panel(title, where, chequered(optical, _enlarged(sar, _SAR, size), SQUARES_ALONG_SIDE)) for title, sar in shown
    ]


def _size(aspect: float) -> Size[int]:
    """Return the panel's size for a square of pixels whose height is `aspect` times their width on the ground."""
    limited = min(max(aspect, 1 / SLENDEREST), SLENDEREST)
    return Size(height=round(PANEL_PX * min(1.0, limited)), width=round(PANEL_PX * min(1.0, 1 / limited)))


def _north(lie: Lie | None) -> str:
    """Return where north is, or nothing if it is up and east is right."""
    if lie is None or lie.up_deg is None:
        return ""
    north = lie.north_deg(Turn()) or 0.0
    if abs(north) < UP_DEG and not lie.mirrored:
        return ""
    return north_text(north) + (", east and west are swapped" if lie.mirrored else "")


def _enlarged(picture: Grey, first_shade: int, size: Size[int]) -> Indexes:
    """Return a picture at the panel's size, in the shades of the palette that begin at an index."""
    bytes_ = Image.fromarray((255 * picture.values).round().astype(np.uint8))
    wanted = size.width, size.height
    shade = np.asarray(bytes_.resize(wanted, Image.Resampling.BICUBIC), np.uint16) * (_SHADES - 1) // 255
    valid = np.asarray(Image.fromarray(picture.valid).resize(wanted, Image.Resampling.NEAREST))
    return np.where(valid, first_shade + shade, _NODATA).astype(np.uint8)


def _arranged(panels: Sequence[_Panel], legend: Sequence[str]) -> Indexes:
    """Return the panels in rows of two beneath their titles, the legend's lines at the foot."""
    high = max(panel.picture.shape[0] for panel in panels)
    step_y, step_x = high + 2 * _LINE_PX + 2 * _GAP_PX, PANEL_PX + _GAP_PX
    rows = ceil_div(len(panels), _COLUMNS)
    canvas = np.full((rows * step_y + len(legend) * _LINE_PX + _GAP_PX, _COLUMNS * step_x - _GAP_PX), _BLANK, np.uint8)
    for index, panel in enumerate(panels):
        top, left = index // _COLUMNS * step_y, index % _COLUMNS * step_x
        _write(canvas, top, left, panel.title, _STRONG)
        _write(canvas, top + _LINE_PX, left, panel.where, _SOFT)
        start = top + 2 * _LINE_PX + _GAP_PX
        height, width = panel.picture.shape
        canvas[start : start + height, left : left + width] = panel.picture
    for line, text in enumerate(legend):
        _write(canvas, rows * step_y + line * _LINE_PX, 0, text, _SOFT)
    return canvas


def _write(canvas: Indexes, top: int, left: int, text: str, ink: int) -> None:
    """Write a line of text into a picture, in place, in the shades of an ink."""
    strip = canvas[top : top + _LINE_PX, left:]
    mask = Image.new("L", strip.shape[::-1])
    ImageDraw.Draw(mask).text((0, 1), text, fill=255, font=_font())
    level = np.asarray(mask) // (256 // _INK_LEVELS)
    strip[level > 0] = ink + level[level > 0]


def _font() -> Any:  # noqa: ANN401 - Pillow's
    """Return the font that matplotlib brings along, so that pictures are the same on every machine."""
    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", _FONT_PX)


def _palette() -> Indexes:
    ramps = [_ramp((0, 0, 0), white, _SHADES) for white in (_OPTICAL_WHITE, _SAR_WHITE)]
    inks = [_ramp(_PAPER, ink, _INK_LEVELS) for ink in (_INK, _QUIET)]
    return np.concatenate([*ramps, *inks, np.array([_NOTHING], np.uint8)])


def _ramp(first: tuple[int, int, int], last: tuple[int, int, int], count: int) -> Indexes:
    return np.linspace(first, last, count).round().astype(np.uint8)


def _shown(length: float) -> str:
    return f"{length:.4g}"
