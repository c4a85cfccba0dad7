import numpy as np

from clairemap.sar.decibels import db_to_power, positive_in_all_bands, power_to_db


def test_known_values_in_decibels() -> None:
    power = np.array([1.0, 10.0, 0.01, 2.0], np.float32)
    assert np.allclose(power_to_db(power), [0, 10, -20, 3.0103], atol=1e-4)
    assert power_to_db(power).dtype == np.float32


def test_back_and_forth() -> None:
    decibels = np.linspace(-40, 20, 100, dtype=np.float32)
    assert np.allclose(power_to_db(db_to_power(decibels)), decibels, atol=1e-4)


def test_power_that_has_no_logarithm_gives_no_infinity() -> None:
    assert np.isfinite(power_to_db(np.array([0.0, -1.0], np.float32))).all()


def test_pixels_need_positive_power_in_each_band() -> None:
    values = np.array([[[1, 0, 1, -2]], [[1, 1, 3, 1]]], np.float32)
    valid = np.array([[True, True, False, True]])
    assert positive_in_all_bands(values, valid).tolist() == [[True, False, False, False]]
