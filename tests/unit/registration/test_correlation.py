import numpy as np
import pytest
from scipy import ndimage

from clairemap.registration.correlation import correlation_surface, highest_peak

MAX = 8


def structure(seed: int = 0, side: int = 64 + 2 * MAX) -> np.ndarray:
    rng = np.random.default_rng(seed)
    parts = [ndimage.gaussian_filter(rng.normal(size=(side, side)), 1.5) for _ in range(2)]
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def template(search: np.ndarray, dy: int, dx: int) -> np.ndarray:
    return search[MAX + dy : MAX + dy + 64, MAX + dx : MAX + dx + 64]


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (5, -3), (-8, 8)])
def test_the_peak_is_at_the_position_of_the_template(dy: int, dx: int) -> None:
    search = structure()
    surface = correlation_surface(template(search, dy, dx), search, MAX)
    assert surface.shape == (2 * MAX + 1, 2 * MAX + 1)
    assert np.unravel_index(np.argmax(surface), surface.shape) == (MAX + dy, MAX + dx)
    assert surface.max() == pytest.approx(1, abs=0.02)
    assert np.abs(surface).max() <= 1.02


def test_each_shift_is_the_normalised_product_of_valid_structure() -> None:
    search, other = structure(0), structure(1, 64)
    other[20:30] = 0
    search[:, 50:58] = 0
    surface = correlation_surface(other, search, MAX)
    a = np.where(other != 0, other - other[other != 0].mean(), 0)
    b = np.where(search != 0, search - search[search != 0].mean(), 0)
    for dy, dx in ((0, 0), (3, -7), (-8, 8)):
        there = b[MAX + dy : MAX + dy + 64, MAX + dx : MAX + dx + 64]
        both = (a != 0) & (there != 0)
        expected = (a.conj() * there).real.sum() / np.sqrt(
            (np.abs(a[both]) ** 2).sum() * (np.abs(there[both]) ** 2).sum()
        )
        assert surface[MAX + dy, MAX + dx] == pytest.approx(expected, abs=1e-4)


def test_half_invalid_windows_still_find_the_shift() -> None:
    search = structure()
    cut = template(search, 4, 2).copy()
    cut[:, :32] = 0
    search = search.copy()
    search[:30] = 0
    peak = highest_peak(correlation_surface(cut, search, MAX))
    assert (peak.dy, peak.dx) == (pytest.approx(4, abs=0.2), pytest.approx(2, abs=0.2))


def test_windows_without_common_structure_give_zeros_not_nan() -> None:
    empty = np.zeros((64, 64), np.complex64)
    assert not correlation_surface(empty, structure(), MAX).any()
    assert not correlation_surface(structure(1, 64), np.zeros_like(structure()), MAX).any()


@pytest.mark.parametrize(("dy", "dx"), [(0.3, -0.4), (2.45, 1.1), (-3.0, 0.0)])
def test_a_smooth_peak_is_refined_to_subpixels(dy: float, dx: float) -> None:
    y, x = np.mgrid[-MAX : MAX + 1, -MAX : MAX + 1]
    surface = np.exp(-((y - dy) ** 2 + 0.8 * (x - dx) ** 2 + 0.5 * (y - dy) * (x - dx)) / 6).astype(np.float32)
    peak = highest_peak(surface)
    assert peak.dy == pytest.approx(dy, abs=0.05)
    assert peak.dx == pytest.approx(dx, abs=0.05)


def test_a_peak_at_the_edge_is_not_refined() -> None:
    surface = np.zeros((17, 17), np.float32)
    surface[0, 5] = 1
    assert (highest_peak(surface).dy, highest_peak(surface).dx) == (-8, -3)


def test_strength_is_0_for_two_equal_peaks() -> None:
    rng = np.random.default_rng(0)
    surface = rng.normal(0, 0.02, (33, 33)).astype(np.float32)
    surface[10, 10] = 1
    single = highest_peak(surface).strength
    surface[25, 25] = 0.99
    assert single > 10 and highest_peak(surface).strength < 1
    assert highest_peak(np.zeros((5, 5), np.float32)).strength == 0
