import numpy as np
import pytest

from clairemap.sar.backscatter import backscatter, reach_px
from clairemap.settings import SarSettings


def settings(scale: str, speckle_filter: str = "none") -> SarSettings:
    return SarSettings(bands=("VV", "VH"), scale=scale, speckle_filter=speckle_filter)


def made(seed: int = 0):
    power = np.random.default_rng(seed).gamma(4, 0.025, (2, 50, 50)).astype(np.float32)
    return power, np.ones((50, 50), np.bool_)


def test_power_and_amplitude_give_the_same_decibels() -> None:
    power, valid = made()
    from_power, _ = backscatter(power, valid, settings("linear_power"))
    from_amplitude, _ = backscatter(np.sqrt(power), valid, settings("linear_amplitude"))
    assert np.allclose(from_power, 10 * np.log10(power), atol=1e-4)
    assert np.allclose(from_power, from_amplitude, atol=1e-4)


@pytest.mark.parametrize("scale", ["db", "digital"])
def test_decibels_and_grey_values_are_unchanged_to_the_bit(scale: str) -> None:
    values = np.random.default_rng(0).normal(-12, 5, (2, 30, 30)).astype(np.float32)
    out, valid = backscatter(values, np.ones((30, 30), np.bool_), settings(scale))
    assert np.array_equal(out, values)
    assert valid.all()


@pytest.mark.parametrize("bad", [0.0, -0.5])
def test_linear_pixels_without_logarithm_become_invalid(bad: float) -> None:
    power, valid = made()
    power[1, 3, 4] = bad
    out, kept = backscatter(power, valid, settings("linear_power"))
    assert not kept[3, 4] and kept.sum() == kept.size - 1
    assert (out[:, 3, 4] == 0).all()


def test_implausible_values_do_not_affect_filtered_pixels() -> None:
    power, valid = made()
    for scale, values in (("db", 10 * np.log10(power)), ("linear_power", power), ("linear_amplitude", np.sqrt(power))):
        spoilt = values.copy()
        spoilt[0, 25, 25], spoilt[1, 30, 30] = (-9999, 3e38)
        valid[25, 25] = valid[30, 30] = True
        out, kept = backscatter(spoilt, valid, settings(scale, "lee"))
        valid[25, 25] = valid[30, 30] = False
        expected, _ = backscatter(values, valid, settings(scale, "lee"))
        assert np.argwhere(~kept).tolist() == [[25, 25], [30, 30]]
        assert np.array_equal(out, expected)


def test_zero_and_negative_values_are_valid_in_decibels_and_grey_values() -> None:
    values = np.array([[[0.0, -5.0]], [[3.0, 0.0]]], np.float32)
    for scale in ("db", "digital"):
        assert backscatter(values, np.ones((1, 2), np.bool_), settings(scale))[1].all()


def test_the_filter_uses_linear_power_for_all_scales() -> None:
    power, valid = made()
    filtered, _ = backscatter(power, valid, settings("linear_power", "lee"))
    from_db, _ = backscatter(10 * np.log10(power), valid, settings("db", "lee"))
    assert np.allclose(filtered, from_db, atol=1e-3)
    assert filtered.std() < 0.6 * (10 * np.log10(power)).std()
    # The mean of dB is 0.56 dB lower for 4 looks.
    assert 10 ** (filtered / 10).mean() == pytest.approx(10 ** (10 * np.log10(power.mean()) / 10), rel=0.05)
    assert filtered.mean() == pytest.approx(10 * np.log10(power.mean()), abs=0.25)


def test_grey_values_are_filtered_and_keep_their_unit() -> None:
    grey = np.random.default_rng(0).normal(120, 20, (2, 60, 60)).astype(np.float32)
    out, _ = backscatter(grey, np.ones((60, 60), np.bool_), settings("digital", "lee"))
    assert out.mean() == pytest.approx(120, abs=1)
    assert out.std() < 0.5 * grey.std()


def test_integers_are_accepted() -> None:
    out, _ = backscatter(np.full((2, 4, 4), 100, np.uint16), np.ones((4, 4), np.bool_), settings("linear_amplitude"))
    assert np.allclose(out, 40)


def test_the_reach_is_enough_for_filter_and_averaging() -> None:
    power, valid = made()
    lee = settings("linear_power", "lee")
    box = (3.0, 2.0)
    reach = reach_px(lee, box)
    whole, _ = backscatter(power, valid, lee, box)
    inner = slice(20 - reach, 30 + reach)
    part, _ = backscatter(power[:, inner, inner], valid[inner, inner], lee, box)
    assert np.allclose(part[:, reach:-reach, reach:-reach], whole[:, 20:30, 20:30], atol=1e-4)
    assert reach_px(settings("db")) == 0
