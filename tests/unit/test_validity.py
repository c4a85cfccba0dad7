import numpy as np
import pytest

from clairemap.validity import Validity, has_none, mappable, optical_usable, sar_usable

V = Validity


def flags(*values: Validity | int) -> np.ndarray:
    return np.array(values, np.uint8)


def test_flags_are_distinct_bits_and_fit_uint8():
    bits = [int(flag) for flag in Validity]
    assert all(bit & (bit - 1) == 0 for bit in bits)
    assert len(set(bits)) == len(bits)
    assert sum(bits) <= 255


@pytest.mark.parametrize(
    ("flag", "optical", "sar", "either"),
    [
        (0, True, True, True),
        (V.OPTICAL_NODATA, False, True, True),
        (V.CLOUD, False, True, True),
        (V.SAR_NODATA, True, False, True),
        (V.OPTICAL_NODATA | V.SAR_NODATA, False, False, False),
        (V.CLOUD | V.SAR_NODATA, False, False, False),
        (V.NO_LABEL, True, True, True),
        (V.LOW_REGISTRATION, True, True, True),
        (V.CLOUD_UNKNOWN, True, True, True),
        (V.NO_LABEL | V.LOW_REGISTRATION | V.CLOUD, False, True, True),
    ],
)
def test_usability_under_each_flag(flag: Validity | int, optical: bool, sar: bool, either: bool):
    assert optical_usable(flags(flag)).item() is optical
    assert sar_usable(flags(flag)).item() is sar
    assert mappable(flags(flag)).item() is either


def test_keeps_the_shape():
    assert mappable(np.zeros((3, 4), np.uint8)).shape == (3, 4)


def test_has_none_tests_all_unwanted_bits():
    found = has_none(flags(0, V.CLOUD, V.NO_LABEL, V.SAR_NODATA), V.CLOUD | V.NO_LABEL)
    assert found.tolist() == [True, False, False, True]
