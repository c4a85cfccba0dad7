import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.grid.tiles import row_bands, tiles

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 70))
SIDES = st.integers(1, 40)


@settings(max_examples=80, deadline=None)
@given(SHAPES, SIDES)
def test_tiles_cover_each_pixel_exactly_once(shape: tuple[int, int], side: int) -> None:
    count = np.zeros(shape, np.int64)
    for tile in tiles(shape, side):
        assert tile.window.clipped(shape) == tile.window
        assert (tile.window.y0, tile.window.x0) == (tile.row * side, tile.col * side)
        count[tile.window.slices] += 1
    assert (count == 1).all()


@settings(max_examples=40, deadline=None)
@given(SHAPES, SIDES)
def test_tiles_are_in_row_order_and_full_size_except_at_the_edge(shape: tuple[int, int], side: int) -> None:
    cut = list(tiles(shape, side))
    places = [(tile.row, tile.col) for tile in cut]
    assert places == sorted(places)
    for tile in cut:
        assert tile.window.height == side or tile.window.y1 == shape[0]
        assert tile.window.width == side or tile.window.x1 == shape[1]


@settings(max_examples=40, deadline=None)
@given(SHAPES, SIDES)
def test_row_bands_cover_each_row_once(shape: tuple[int, int], rows: int) -> None:
    bands = list(row_bands(shape, rows))
    assert [row for band in bands for row in range(band.y0, band.y1)] == list(range(shape[0]))
    assert all(band.width == shape[1] and band.height <= rows for band in bands)
