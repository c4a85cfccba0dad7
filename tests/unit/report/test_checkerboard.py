import io
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clairemap.report.checkerboard import PANEL_PX, checkerboard, checkerboard_png
from clairemap.report.pixel_geometry import PixelGeometry
from clairemap.report.registration_views import GreyPicture, RegistrationView

WHOLE = np.ones((64, 64), np.bool_)


def grey(value: float, valid: NDArray[np.bool_] = WHOLE) -> GreyPicture:
    return GreyPicture(np.full(valid.shape, value, np.float32), valid)


PLACE = RegistrationView(10, 20, 64, optical=grey(0.0), delivered=grey(1.0), registered=grey(0.5))


def shown(*views: RegistrationView) -> Image.Image:
    return Image.open(io.BytesIO(checkerboard_png(views, "north", {"clairemap_version": "1.2.3"})))


def panel(image: Image.Image, row: int, column: int) -> NDArray[np.uint8]:
    """Return the pixels (y, x, 3) of a panel, found from the foot of its row and the column's edge."""
    rgb = np.asarray(image.convert("RGB"))
    height = (len(rgb) - 21) // round((len(rgb) - 21) / 298)
    bottom, left = (row + 1) * height - 4, column * (PANEL_PX + 4)
    return rgb[bottom - PANEL_PX : bottom, left : left + PANEL_PX]


def test_squares_alternate():
    board = checkerboard(np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8), 4)
    assert board[::2, ::2].tolist() == [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    assert np.array_equal(board, np.kron(board[::2, ::2], np.ones((2, 2), np.uint8)))


def test_moved_sar_is_shown_before_and_after():
    image = shown(PLACE)
    before, after = panel(image, 0, 0), panel(image, 0, 1)
    assert before.shape == after.shape == (PANEL_PX, PANEL_PX, 3)
    assert before[5, 5].tolist() == after[5, 5].tolist() == [0, 0, 0]  # optical
    assert before[5, 100].tolist() == [255, 232, 190]  # SAR, white
    assert 120 < after[5, 100][0] < 135
    assert before[100, 100].tolist() == [0, 0, 0]


def test_sar_that_is_not_moved_is_shown_once():
    still = replace(PLACE, registered=None)
    assert shown(still).size == shown(PLACE).size
    assert np.all(panel(shown(still), 0, 1) == 255)
    assert shown(still, still, still).size == shown(PLACE, PLACE).size


def test_nodata_has_its_own_colour():
    valid = WHOLE.copy()
    valid[:32] = False
    board = panel(shown(replace(PLACE, optical=grey(0.0, valid))), 0, 0)
    assert board[5, 5].tolist() == board[5, 60].tolist() == [214, 224, 236]
    assert board[5, 100].tolist() == [255, 232, 190]
    assert board[250, 100].tolist() != board[5, 5].tolist()


def test_the_file_says_what_it_shows_and_is_repeatable():
    image = shown(PLACE)
    image.load()
    assert image.mode == "P"
    assert (image.info["scene"], image.info["clairemap_version"]) == ("north", "1.2.3")
    assert checkerboard_png([PLACE], "north", {}) == checkerboard_png([PLACE], "north", {})


@pytest.mark.parametrize("side", [1, 7, 63, 128])
def test_windows_of_any_size_fill_the_panel(side: int):
    small = np.ones((side, side), np.bool_)
    board = panel(shown(RegistrationView(0, 0, side, grey(0.0, small), grey(1.0, small), None)), 0, 0)
    assert sorted({tuple(colour) for colour in board.reshape(-1, 3).tolist()}) == [(0, 0, 0), (255, 232, 190)]


def squares(geometry: PixelGeometry | None) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Return the picture's size beyond the panel and height and width of the upper left square, which is black."""
    image = shown(replace(PLACE, registered=None, geometry=geometry))
    rgb = np.asarray(image.convert("RGB"))
    black = (rgb[38:, :PANEL_PX] == 0).all(axis=-1)  # below the titles
    return rgb, (int(np.argmin(black[:, 0])), int(np.argmin(black[0])))


def test_pixels_are_as_long_and_wide_as_on_the_ground():
    assert squares(None)[1] == (64, 64)
    assert squares(PixelGeometry(10.0, 10.0, 0.0))[1] == (64, 64)
    assert squares(PixelGeometry(5.57, 11.14, 0.0))[1] == (64, 32)
    assert squares(PixelGeometry(10.0, 5.0, 0.0))[1] == (32, 64)


@pytest.mark.parametrize("geometry", [PixelGeometry(10.0, 10.0, 40.0), PixelGeometry(10.0, 10.0, 180.0, mirrored=True)])
def test_north_has_its_own_line_unless_it_is_up(geometry: PixelGeometry):
    plain, labelled = squares(PixelGeometry(10.0, 10.0, 0.2))[0], squares(geometry)[0]
    assert len(labelled) == len(plain) + 17
    assert (labelled[-14:] < 200).any()
    assert np.array_equal(plain, squares(None)[0])
