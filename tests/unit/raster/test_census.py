import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clairemap.raster.census import SAMPLE_PX, BandCensus, Census, Extremes

Numbers = st.lists(st.integers(-4, 4), min_size=1, max_size=12)


@given(Numbers, Numbers)
def test_extremes_of_two_sets_add_up(first: list[int], second: list[int]) -> None:
    parts = [np.array(part, np.float32) for part in (first, second)]
    assert Extremes.of(parts[0]) + Extremes.of(parts[1]) == Extremes.of(np.concatenate(parts))


def test_an_empty_census() -> None:
    census = Census()
    census.add(np.zeros((1, 2, 2)), np.zeros((2, 2), np.bool_), (1,))
    assert census.px == 0 and census.sample.size == 0 and census.bands[1].extremes is None


def test_unsigned_numbers_do_not_wrap() -> None:
    assert Extremes.of(np.array([0, 200, 255, 255], np.uint8)) == Extremes(0, 1, 200, 255, 2, 200)


def test_the_sample_is_bounded_and_spread_over_all_that_was_read() -> None:
    band = BandCensus(-np.inf, np.inf)
    for part in range(600):
        band.add(np.full(5000, part, np.float32))
    assert SAMPLE_PX / 4 < band.sample.size <= SAMPLE_PX
    assert band.px == 600 * 5000 and abs(np.median(band.sample) - 300) < 80
