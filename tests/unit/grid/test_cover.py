import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.grid.cover import WindowCover
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window

ALIGN = 8
SHAPES = st.tuples(st.integers(1, 90), st.integers(1, 90))
COVERS = st.builds(WindowCover.fitting, st.integers(ALIGN, 64), st.integers(0, 20), st.just(ALIGN))


@settings(max_examples=80, deadline=None)
@given(SHAPES, COVERS)
def test_cores_cover_each_pixel_exactly_once(shape: tuple[int, int], cover: WindowCover) -> None:
    count = np.zeros(shape, np.int64)
    for step in cover.steps(Window.whole(shape), shape):
        assert step.core.clipped(shape) == step.core
        count[step.core.slices] += 1
    assert (count == 1).all()


@settings(max_examples=80, deadline=None)
@given(SHAPES, COVERS)
def test_outer_windows_are_aligned_and_include_the_halo_inside_the_scene(
    shape: tuple[int, int], cover: WindowCover
) -> None:
    whole = Window.whole(shape)
    for step in cover.steps(Window.whole(shape), shape):
        outer = step.outer
        assert all(value % ALIGN == 0 for value in (outer.y0, outer.x0, outer.height, outer.width))
        needed = step.core.grown(cover.halo_px).intersection(whole)
        assert outer.intersection(needed) == needed
        assert max(outer.shape) <= cover.outer_px


@settings(max_examples=40, deadline=None)
@given(SHAPES, COVERS)
def test_padding_is_limited_to_the_alignment(shape: tuple[int, int], cover: WindowCover) -> None:
    for step in cover.steps(Window.whole(shape), shape):
        assert step.outer.y0 >= 0 and step.outer.x0 >= 0
        assert step.outer.y1 < shape[0] + ALIGN and step.outer.x1 < shape[1] + ALIGN


@pytest.mark.parametrize(("window", "halo"), [(64, 10), (16, 20), (8, 0)])
def test_outer_windows_fit_the_window_unless_the_halo_fills_it(window: int, halo: int) -> None:
    cover = WindowCover.fitting(window, halo, ALIGN)
    assert cover.halo_px >= halo and cover.halo_px % ALIGN == 0
    assert cover.core_px >= ALIGN and cover.core_px % ALIGN == 0
    assert cover.outer_px <= window or cover.core_px == ALIGN


@settings(max_examples=40, deadline=None)
@given(SHAPES, COVERS, st.integers(1, 3))
def test_steps_of_parts_equal_those_of_the_whole(shape: tuple[int, int], cover: WindowCover, cores: int) -> None:
    parts = [tile.window for tile in tiles(shape, cores * cover.core_px)]
    found = [step for part in parts for step in cover.steps(part, shape)]
    assert sorted(found, key=str) == sorted(cover.steps(Window.whole(shape), shape), key=str)


@settings(max_examples=40, deadline=None)
@given(SHAPES, COVERS)
def test_processed_pixels_are_the_sum_of_the_windows(shape: tuple[int, int], cover: WindowCover) -> None:
    windows = [step.outer for step in cover.steps(Window.whole(shape), shape)]
    assert cover.processed_px(shape) == sum(window.height * window.width for window in windows)
