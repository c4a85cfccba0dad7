from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.accuracy.draw import (
    OUTSIDE,
    DrawnUnits,
    StratumWindows,
    TooFewPixelsError,
    draw,
    priorities,
)
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window


def windows_of(strata: NDArray[np.int32], tile_px: int = 50) -> StratumWindows:
    def windows() -> Iterator[tuple[Window, NDArray[np.int32]]]:
        for tile in tiles((strata.shape[0], strata.shape[1]), tile_px):
            yield tile.window, strata[tile.window.slices]

    return windows


def made_strata(shape: tuple[int, int] = (120, 170)) -> NDArray[np.int32]:
    strata = np.zeros(shape, np.int32)
    strata[:, 100:] = 1
    strata[:20] = OUTSIDE
    strata[60:64, 10:14] = 2
    return strata


def drawn(
    strata: NDArray[np.int32], units: list[int], seed: int = 0, tile_px: int = 50, **options: float
) -> DrawnUnits:
    windows = windows_of(strata, tile_px)
    pixels = np.bincount(strata[strata >= 0], minlength=len(units))
    return draw(windows, pixels, np.array(units), width=strata.shape[1], seed=seed, **options)


def places(found: DrawnUnits, stratum: int) -> list[tuple[int, int]]:
    chosen = found.strata == stratum
    return list(zip(found.rows[chosen].tolist(), found.columns[chosen].tolist(), strict=True))


def test_each_stratum_gets_its_units_once():
    strata = made_strata()
    found = drawn(strata, [30, 20, 16])
    assert np.array_equal(strata[found.rows, found.columns], found.strata)
    assert np.bincount(found.strata).tolist() == [30, 20, 16]
    assert len(set(zip(found.rows.tolist(), found.columns.tolist(), strict=True))) == 66
    assert places(found, 2) != sorted(places(found, 2))
    assert sorted(places(found, 2)) == [(row, column) for row in range(60, 64) for column in range(10, 14)]


def test_a_larger_sample_starts_with_the_smaller_one():
    small, large = drawn(made_strata(), [30, 20, 5]), drawn(made_strata(), [90, 25, 16])
    for stratum, count in enumerate([30, 20, 5]):
        assert places(large, stratum)[:count] == places(small, stratum)


def test_the_division_into_windows_changes_nothing():
    first, second = drawn(made_strata(), [40, 20, 5]), drawn(made_strata(), [40, 20, 5], tile_px=33)
    for name in ("rows", "columns", "strata", "ranks"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_other_seeds_give_other_samples():
    assert places(drawn(made_strata(), [30, 0, 0]), 0) != places(drawn(made_strata(), [30, 0, 0], seed=1), 0)


def test_all_pixels_have_the_same_chance():
    strata = np.zeros((20, 25), np.int32)
    times = np.zeros(strata.shape)
    for seed in range(2000):
        found = drawn(strata, [50], seed=seed)
        times[found.rows, found.columns] += 1
    expected, spread = 200, np.sqrt(2000 * 0.1 * 0.9)
    assert np.abs(times - expected).max() < 4.5 * spread
    assert np.square((times - expected) / spread).mean() == pytest.approx(1, abs=0.2)


def test_neighbours_are_drawn_independently():
    strata = np.zeros((40, 40), np.int32)
    together = 0
    for seed in range(500):
        found = drawn(strata, [160], seed=seed)
        picture = np.zeros(strata.shape, bool)
        picture[found.rows, found.columns] = True
        together += int((picture[:, 1:] & picture[:, :-1]).sum()) + int((picture[1:] & picture[:-1]).sum())
    assert together / 500 == pytest.approx(2 * 40 * 39 * 0.1 * 159 / 1599, rel=0.03)


def test_units_of_a_stratum_keep_their_distance_and_stay_nested():
    strata = np.zeros((100, 100), np.int32)
    large = places(drawn(strata, [40], distance_px=10), 0)
    points = np.array(large, float)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)[~np.eye(40, dtype=bool)]
    assert gaps.min() >= 10
    assert places(drawn(strata, [15], distance_px=10), 0) == large[:15]


def test_too_large_a_distance_is_refused():
    with pytest.raises(TooFewPixelsError) as caught:
        drawn(np.zeros((30, 30), np.int32), [20], distance_px=15)
    assert (caught.value.stratum, caught.value.wanted) == (0, 20)
    assert caught.value.found < 20


def test_priorities_are_uniform():
    found = priorities(np.arange(200_000), seed=5) / 2.0**64
    counts = np.histogram(found, bins=50, range=(0, 1))[0]
    assert np.square(counts - 4000).sum() / 4000 < 90
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.01
