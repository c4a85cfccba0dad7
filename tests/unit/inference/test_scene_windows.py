import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.grid.cover import WindowCover
from clairemap.grid.window import Window
from clairemap.inference.scene_windows import scene_windows

SIDE = st.integers(1, 4000)


@settings(max_examples=80)
@given(
    shape=st.tuples(SIDE, SIDE),
    window=st.integers(1, 16).map(lambda n: n * 128),
    halo=st.integers(0, 400),
    tile=st.integers(1, 5).map(lambda n: n * 128),
)
def test_cores_cover_each_pixel_once_and_shards_are_whole_cores(
    shape: tuple[int, int], window: int, halo: int, tile: int
):
    found = scene_windows(shape, window, halo, tile)
    steps = list(found.cover.steps(Window.whole(shape), shape))
    assert sum(step.core.height * step.core.width for step in steps) == shape[0] * shape[1]
    shard = found.shard_tiles * tile
    for step in steps:
        assert step.core.y0 // shard == (step.core.y1 - 1) // shard
        assert step.core.x0 // shard == (step.core.x1 - 1) // shard
        assert step.outer.height % 128 == 0 and step.outer.width % 128 == 0
        assert step.outer.y0 % 128 == 0 and step.outer.x0 % 128 == 0


@settings(max_examples=60)
@given(shape=st.tuples(SIDE, SIDE), window=st.integers(1, 16).map(lambda n: n * 128), halo=st.integers(0, 400))
def test_window_edges_are_a_halo_away_from_the_core(shape: tuple[int, int], window: int, halo: int):
    for step in scene_windows(shape, window, halo, 512).cover.steps(Window.whole(shape), shape):
        assert step.outer.y0 == 0 or step.core.y0 - step.outer.y0 >= halo
        assert step.outer.x0 == 0 or step.core.x0 - step.outer.x0 >= halo
        assert step.outer.y1 >= shape[0] or step.outer.y1 - step.core.y1 >= halo
        assert step.outer.x1 >= shape[1] or step.outer.x1 - step.core.x1 >= halo


@pytest.mark.parametrize("shape", [(1, 1), (128, 128), (2048, 2048), (1900, 3)])
def test_scene_that_fits_one_window_is_not_cut(shape: tuple[int, int]):
    (step,) = scene_windows(shape, 2048, 256, 512).cover.steps(Window.whole(shape), shape)
    assert step.core.shape == shape
    assert step.outer.height < shape[0] + 128


@pytest.mark.parametrize(("window", "halo"), [(2048, 256), (1536, 256), (4096, 128), (1024, 300), (384, 128)])
@pytest.mark.parametrize("shape", [(9000, 9000), (5000, 3000), (2100, 2100)])
def test_network_sees_the_fewest_pixels_of_all_sizes_that_fit(shape: tuple[int, int], window: int, halo: int):
    found = scene_windows(shape, window, halo, 512)
    assert found.cover.outer_px <= window
    sizes = [n * 128 for n in range(1, 33) if n * 128 % 512 == 0 or 512 % (n * 128) == 0]
    fitting = [
        WindowCover(size, found.cover.halo_px, 128) for size in sizes if size + 2 * found.cover.halo_px <= window
    ]
    assert found.cover.processed_px(shape) == min(cover.processed_px(shape) for cover in fitting)


def test_ties_go_to_the_smallest_windows():
    assert scene_windows((9216, 9216), 3072, 256, 512).cover.core_px == 2560  # four by four cores
    assert scene_windows((5000, 5000), 4096, 256, 512).cover.core_px == 2560  # two by two, as with 3584
