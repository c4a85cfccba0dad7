import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.inference.cut import cut_scene

SIDE = st.integers(1, 4000)


@settings(max_examples=80)
@given(
    shape=st.tuples(SIDE, SIDE),
    window=st.integers(1, 16).map(lambda n: n * 128),
    halo=st.integers(0, 400),
    tile=st.integers(1, 5).map(lambda n: n * 128),
)
def test_cores_cover_each_pixel_once_and_bands_of_shards_are_whole_bands_of_cores(
    shape: tuple[int, int], window: int, halo: int, tile: int
):
    cut = cut_scene(shape, window, halo, tile)
    steps = [step for band in cut.cover.bands(shape) for step in band]
    assert sum(step.core.height * step.core.width for step in steps) == shape[0] * shape[1]
    shard = cut.shard_tiles * tile
    for step in steps:
        assert step.core.y0 // shard == (step.core.y1 - 1) // shard
        assert step.outer.height % 128 == 0 and step.outer.width % 128 == 0
        assert step.outer.y0 % 128 == 0 and step.outer.x0 % 128 == 0


@settings(max_examples=60)
@given(shape=st.tuples(SIDE, SIDE), window=st.integers(1, 16).map(lambda n: n * 128), halo=st.integers(0, 400))
def test_cut_edges_lie_a_halo_away_from_the_core(shape: tuple[int, int], window: int, halo: int):
    for band in cut_scene(shape, window, halo, 512).cover.bands(shape):
        for step in band:
            assert step.outer.y0 == 0 or step.core.y0 - step.outer.y0 >= halo
            assert step.outer.x0 == 0 or step.core.x0 - step.outer.x0 >= halo
            assert step.outer.y1 >= shape[0] or step.outer.y1 - step.core.y1 >= halo
            assert step.outer.x1 >= shape[1] or step.outer.x1 - step.core.x1 >= halo


@pytest.mark.parametrize("shape", [(1, 1), (128, 128), (2048, 2048), (1900, 3)])
def test_scene_that_fits_one_window_is_not_cut(shape: tuple[int, int]):
    (band,) = cut_scene(shape, 2048, 256, 512).cover.bands(shape)
    (step,) = band
    assert step.core.shape == shape
    assert step.outer.height < shape[0] + 128


def test_windows_are_as_large_as_asked_for_where_tiles_allow():
    cover = cut_scene((9000, 9000), 2048, 256, 512).cover
    assert (cover.core_px, cover.halo_px, cover.outer_px) == (1536, 256, 2048)
