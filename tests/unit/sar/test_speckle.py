import numpy as np
import pytest

from clairemap.sar.speckle import (
    amplitude_variation,
    averaged,
    averaging_reach_px,
    lee,
    power_variation,
    speckle_power,
    speckled_amplitude,
    speckled_db,
)

LOOKS = 4.0


def speckled(shape: tuple[int, int] = (200, 200), level: float = 0.1, seed: int = 0):
    speckle = np.random.default_rng(seed).gamma(LOOKS, 1 / LOOKS, shape)
    return (level * speckle).astype(np.float32)


def test_coefficients_of_variation_match_simulated_speckle() -> None:
    power = speckled((600, 600))
    assert power.std() / power.mean() == pytest.approx(power_variation(LOOKS), rel=0.02)
    single = np.sqrt(np.random.default_rng(0).exponential(1, 400_000))
    assert single.std() / single.mean() == pytest.approx(amplitude_variation(1), rel=0.02)


def test_lee_smooths_flat_ground_without_changing_its_mean() -> None:
    band = speckled()
    out = lee(band, np.ones(band.shape, np.bool_), 5, power_variation(LOOKS))
    assert out.mean() == pytest.approx(band.mean(), rel=0.01)
    assert out.std() < 0.45 * band.std()


def test_lee_keeps_a_bright_point() -> None:
    band = speckled()
    band[100, 100] = 100 * band.mean()
    out = lee(band, np.ones(band.shape, np.bool_), 5, power_variation(LOOKS))
    assert out[100, 100] > 0.6 * band[100, 100]


def test_lee_leaves_constant_ground_alone() -> None:
    band = np.full((20, 20), 0.25, np.float32)
    assert np.allclose(lee(band, np.ones(band.shape, np.bool_), 5, 0.5), band)


@pytest.mark.parametrize("poison", [1e6, np.nan])
def test_invalid_pixels_have_no_influence_on_lee_and_get_no_value(poison: float) -> None:
    band, valid = speckled((40, 40)), np.ones((40, 40), np.bool_)
    valid[10:20, 15] = False
    spoilt = np.where(valid, band, np.float32(poison))
    out = lee(spoilt, valid, 5, 0.5)
    assert np.array_equal(out, lee(band, valid, 5, 0.5))
    assert (out[~valid] == 0).all()
    assert out[15, 14] == pytest.approx(band[13:18, 12:17][valid[13:18, 12:17]].mean(), rel=0.5)


def test_lee_at_the_edge_uses_the_pixels_inside() -> None:
    band = np.full((20, 20), 2.0, np.float32)
    assert np.allclose(lee(band, np.ones(band.shape, np.bool_), 7, 0.5), 2.0)


def test_lee_is_local() -> None:
    band = speckled((60, 60))
    whole = lee(band, np.ones(band.shape, np.bool_), 5, 0.5)
    part = lee(band[10:50, 10:50], np.ones((40, 40), np.bool_), 5, 0.5)
    assert np.allclose(part[2:-2, 2:-2], whole[12:48, 12:48], rtol=1e-5)


def test_averaging_reduces_speckle_like_a_box_and_does_not_shift() -> None:
    band = speckled((300, 300))
    out, valid = averaged(band, np.ones(band.shape, np.bool_), (4.0, 4.0))
    inner = out[20:-20, 20:-20]
    assert valid.all()
    assert inner.mean() == pytest.approx(band.mean(), rel=0.01)
    assert inner.std() == pytest.approx(band.std() / 4, rel=0.15)
    ramp = np.tile(np.arange(50, dtype=np.float32), (50, 1))
    moved, _ = averaged(ramp, np.ones(ramp.shape, np.bool_), (3.0, 3.0))
    assert np.allclose(moved[10:-10, 10:-10], ramp[10:-10, 10:-10], atol=1e-4)


def test_averaging_ignores_invalid_pixels_and_needs_half_of_the_weight() -> None:
    band = np.full((40, 40), 5.0, np.float32)
    valid = np.ones(band.shape, np.bool_)
    valid[:, 20:] = False
    band[:, 20:] = 1e9
    out, kept = averaged(band, valid, (4.0, 4.0))
    assert np.allclose(out[5:-5][kept[5:-5]], 5.0, rtol=1e-5)
    assert kept[:, :20].all() and not kept[:, 20:].any()
    speck = np.zeros(band.shape, np.bool_)
    speck[10, 10] = True
    assert averaged(band, ~speck & valid, (4.0, 4.0))[1][10, 10]


@pytest.mark.parametrize("box", [(2.0, 2.0), (1.0, 6.5), (3.7, 1.0)])
def test_averaging_has_the_stated_reach(box: tuple[float, float]) -> None:
    reach = averaging_reach_px(box)
    band = np.zeros((61, 61), np.float32)
    band[30, 30] = 1
    out, _ = averaged(band, np.ones(band.shape, np.bool_), box)
    touched = np.argwhere(out > 0)
    assert np.abs(touched - 30).max() == reach


@pytest.mark.parametrize("looks", [0.5, 1, 8])
def test_simulated_speckle_has_the_moments_of_its_looks(looks: float) -> None:
    power = speckle_power((2, 400, 400), looks, np.random.default_rng(0))
    assert power.dtype == np.float32
    assert power.mean() == pytest.approx(1, rel=0.02)
    assert power.std() == pytest.approx(power_variation(looks), rel=0.02)
    assert power.min() > 0


def test_speckle_of_either_scale_keeps_the_mean_power() -> None:
    random = np.random.default_rng(0)
    decibels = speckled_db(np.full((400, 400), -12.0, np.float32), 4, random)
    assert (10 ** (decibels / 10)).mean() == pytest.approx(10**-1.2, rel=0.01)
    amplitude = speckled_amplitude(np.full((400, 400), 30.0, np.float32), 4, random)
    assert (amplitude**2).mean() == pytest.approx(900, rel=0.01)
    assert amplitude.std() / amplitude.mean() == pytest.approx(amplitude_variation(4), rel=0.05)


def test_speckle_of_few_looks_is_finite_and_nan_does_not_spread() -> None:
    assert speckle_power((200, 200), 0.05, np.random.default_rng(1)).min() > 0
    bands = np.full((2, 200, 200), 5.0, np.float32)
    bands[0, 3, 4] = np.nan
    for speckle in (speckled_db, speckled_amplitude):
        out = speckle(bands, 0.05, np.random.default_rng(1))
        assert np.array_equal(np.isfinite(out), np.isfinite(bands))
