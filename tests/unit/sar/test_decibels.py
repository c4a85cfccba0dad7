import numpy as np

from clairemap.sar.decibels import db_to_power, plausible_db, plausible_power, power_to_db


def test_known_values_in_decibels() -> None:
    power = np.array([1.0, 10.0, 0.01, 2.0], np.float32)
    assert np.allclose(power_to_db(power), [0, 10, -20, 3.0103], atol=1e-4)
    assert power_to_db(power).dtype == np.float32


def test_conversion_to_power_and_back() -> None:
    decibels = np.linspace(-40, 20, 100, dtype=np.float32)
    assert np.allclose(power_to_db(db_to_power(decibels)), decibels, atol=1e-4)


def test_power_without_a_logarithm_gives_finite_decibels() -> None:
    assert np.isfinite(power_to_db(np.array([0.0, -1.0], np.float32))).all()


def test_pixels_need_positive_power_in_each_band() -> None:
    values = np.array([[[1, 0, 1, -2, 1e20, 1e-12]], [[1, 1, 3, 1, 1, 1]]], np.float32)
    valid = np.array([[True, True, False, True, True, True]])
    assert plausible_power(values, valid).tolist() == [[True, False, False, False, False, False]]


def test_implausible_decibels_in_one_band_are_invalid() -> None:
    values = np.array([[[0, -9999, -30, 1e20, -80, 100]], [[-5, -20, -79, 3, 12, 0]]], np.float32)
    assert plausible_db(values, np.ones((1, 6), np.bool_)).tolist() == [[True, False, True, False, True, True]]
