"""Division and multiples, rounded up."""

from hypothesis import given
from hypothesis import strategies as st

from clairemap.grid.rounding import align_up, ceil_div


def test_rounds_up():
    assert [ceil_div(value, 4) for value in (-5, -4, 0, 1, 4, 5)] == [-1, -1, 0, 1, 1, 2]
    assert [align_up(value, 4) for value in (-5, -4, 0, 1, 4, 5)] == [-4, -4, 0, 4, 4, 8]


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_align_up_returns_the_smallest_multiple(value: int, multiple: int):
    aligned = align_up(value, multiple)
    assert aligned % multiple == 0 and value <= aligned < value + multiple
