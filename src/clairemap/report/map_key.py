"""Overview drawing of a map with the sections that the page shows."""

from collections.abc import Sequence

from clairemap.grid.points import Size
from clairemap.grid.window import Window
from clairemap.report.content import Picture
from clairemap.report.pictures import as_picture
from clairemap.report.pixel_geometry import QuarterTurn

MAX_KEY_PX = 420
MIN_MARK_PX = 7
"""Minimum side of a section in the drawing."""

MAX_KEY_ASPECT = 10.0
RIM_PX = 14
STYLE = 'font-family="sans-serif" font-size="13" fill="#1f2430"'


def map_key(ratio: float, whole: Window, windows: Sequence[Window], turn: QuarterTurn) -> Picture:
    """Return the map's outline with its sections, numbered from 1 if there are several. Small sections are enlarged.

    Args:
        ratio: height of the map over its width on the ground, before rotation.
        whole: window of the whole map.
        windows: the sections.
        turn: rotation of the pictures.
    """
    high, wide = turn.size(Size(min(max(ratio, 1 / MAX_KEY_ASPECT), MAX_KEY_ASPECT), 1.0))
    scale = MAX_KEY_PX / max(high, wide)
    width, height = wide * scale, high * scale
    numbers = [str(number) for number in range(1, len(windows) + 1)] if len(windows) > 1 else [""]
    places = [_placed(window, whole, turn) for window in windows]
    marks = "".join(_mark(number, place, width, height) for number, place in zip(numbers, places, strict=True))
    across, down = round(width) + 2 * RIM_PX, round(height) + 2 * RIM_PX
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{down}" viewBox="0 0 {across} {down}">'
        f'<rect x="{RIM_PX}" y="{RIM_PX}" width="{width:.1f}" height="{height:.1f}" fill="#f5f6f8" stroke="#8a8f9c"/>'
        f"{marks}</svg>"
    )
    return as_picture(svg.encode(), "image/svg+xml", Size(down, across))


def _placed(window: Window, whole: Window, turn: QuarterTurn) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a section in the rotated map, each 0 to 1."""
    top, bottom = window.y0 / whole.height, window.y1 / whole.height
    left, right = window.x0 / whole.width, window.x1 / whole.width
    if turn.mirrored:
        top, bottom = 1 - bottom, 1 - top
    for _ in range(turn.quarters):
        left, top, right, bottom = top, 1 - right, bottom, 1 - left
    return left, top, right, bottom


def _mark(number: str, place: tuple[float, float, float, float], width: float, height: float) -> str:
    left, top, right, bottom = place
    wide, high = max(MIN_MARK_PX, (right - left) * width), max(MIN_MARK_PX, (bottom - top) * height)
    x = RIM_PX + min(max(0.0, (left + right) / 2 * width - wide / 2), width - wide)
    y = RIM_PX + min(max(0.0, (top + bottom) / 2 * height - high / 2), max(0.0, height - high))
    label_x, anchor = (x - 4, "end") if x > width / 2 else (x + wide + 4, "start")
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="#2b6cb0" stroke="#1f2430"/>'
        f'<text x="{label_x:.1f}" y="{y + high / 2 + 4.5:.1f}" text-anchor="{anchor}" {STYLE}>{number}</text>'
    )
