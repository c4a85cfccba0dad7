import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clairemap.accuracy.sizes import allocated, units_for

OLOFSSON_PX = np.array([200000.0, 150000, 3200000, 6450000])
OLOFSSON_USERS = np.array([0.7, 0.6, 0.9, 0.95])


def test_equals_the_example_of_olofsson_et_al_2014():
    """Section 5.1.1: a standard error of 0.01 for the overall accuracy needs 641 units."""
    assert units_for(OLOFSSON_PX, OLOFSSON_USERS, 1.959964 * 0.01) == pytest.approx(641, abs=1)


def test_small_maps_need_fewer_units_than_pixels():
    assert units_for(np.array([60.0, 40]), np.array([0.5, 0.5]), 0.001) <= 100


def test_small_strata_get_the_minimum_and_the_others_share_the_rest():
    found = allocated(641, OLOFSSON_PX, 75)
    assert found[:2].tolist() == [75, 75]
    assert found[2:] == pytest.approx([163, 328], abs=1)
    assert found.sum() == pytest.approx(641, abs=2)


def test_a_stratum_of_its_own_minimum():
    assert allocated(641, OLOFSSON_PX, np.array([75, 200, 75, 75])).tolist() == [75, 200, 122, 245]


def test_a_stratum_gives_no_more_than_its_pixels():
    assert allocated(100, np.array([7.0, 1000]), 50).tolist()[0] == 7


@given(
    pixels=st.lists(st.integers(0, 10**9), min_size=1, max_size=9).filter(any),
    units=st.integers(0, 5000),
    more=st.integers(1, 500),
    at_least=st.integers(2, 100),
)
def test_more_units_never_give_a_stratum_fewer(pixels: list[int], units: int, more: int, at_least: int):
    sizes = np.array(pixels, float)
    small, large = allocated(units, sizes, at_least), allocated(units + more, sizes, at_least)
    assert (small <= large).all()
    assert (large <= sizes).all()
    assert (small >= np.minimum(at_least, sizes)).all()
