import numpy as np
import pytest
from scipy import ndimage

from clairemap.classes import IGNORE_INDEX
from clairemap.explain.pattern import pattern


def test_one_class_has_neither_edges_nor_isolated_pixels():
    found = pattern(np.zeros((5, 5), np.uint8))
    assert (found.edges, found.isolated) == (0, 0)


def test_two_halves_meet_at_two_rows():
    halves = np.repeat(np.array([[1], [1], [2], [2]], np.uint8), 6, axis=1)
    found = pattern(halves)
    assert (found.edges, found.isolated) == (0.5, 0)


def test_a_lone_pixel_is_isolated_and_makes_edges():
    tile = np.zeros((5, 5), np.uint8)
    tile[2, 2] = 1
    found = pattern(tile)
    assert found.isolated == pytest.approx(1 / 25)
    assert found.edges == pytest.approx(5 / 25)


def test_unmapped_pixels_are_no_edges():
    tile = np.full((5, 5), IGNORE_INDEX, np.uint8)
    tile[2, 2] = 1
    found = pattern(tile)
    assert (found.edges, found.isolated) == (0, 0)  # without neighbours, it is not among other classes


def test_random_tiles_agree_with_a_pixel_by_pixel_count():
    def at(values: np.ndarray, kind: str) -> bool:
        centre, others = values[4], np.delete(values, 4)
        if centre == IGNORE_INDEX:
            return False
        if kind == "edge":
            return any(v not in (centre, IGNORE_INDEX) for v in values[[1, 3, 5, 7]])
        return any(others != IGNORE_INDEX) and all(others != centre)

    tile = np.random.default_rng(0).choice(np.array([0, 1, 2, IGNORE_INDEX], np.uint8), (20, 30))
    mapped = (tile != IGNORE_INDEX).sum()
    expected = [
        ndimage.generic_filter(tile, at, 3, mode="constant", cval=IGNORE_INDEX, extra_arguments=(kind,)).sum() / mapped
        for kind in ("edge", "isolated")
    ]
    found = pattern(tile)
    assert [found.edges, found.isolated] == pytest.approx(expected)
