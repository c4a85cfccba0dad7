import numpy as np
import pytest
from scipy import ndimage

from clairemap.registration.structure import GRADIENT_REACH_PX, STRUCTURE_REACH_PX, edge_structure

ALL = np.ones((80, 80), np.bool_)


def picture(seed: int = 0, shape: tuple[int, int] = (80, 80)) -> np.ndarray:
    ground = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return (ground > 0).astype(np.float32)[None]


def test_structure_does_not_depend_on_contrast_or_its_sign() -> None:
    plain = edge_structure(picture(), ALL)
    assert np.allclose(edge_structure(5 - 3 * picture(), ALL), plain, atol=1e-4)
    assert np.abs(plain).max() < 1 and np.abs(plain).mean() > 0.01


def test_the_angle_is_twice_the_edges() -> None:
    y, x = np.mgrid[:80, :80]
    for degrees in (0, 30, 90, 135):
        angle = np.radians(degrees)
        step = ((x - 40) * np.cos(angle) + (y - 40) * np.sin(angle) > 0.25).astype(np.float32)
        found = np.angle(edge_structure(step[None], ALL)[40, 40])
        assert np.cos(found - 2 * angle) > 0.99


def test_bands_have_equal_weight_in_any_unit() -> None:
    two = np.concatenate([picture(0), picture(1)])
    scaled = two * np.array([1, 5000], np.float32)[:, None, None]
    assert np.allclose(edge_structure(scaled, ALL), edge_structure(two, ALL), atol=1e-3)


def test_invalid_pixels_have_no_influence() -> None:
    valid = ALL.copy()
    valid[30:40, 20:30] = False
    spoilt = np.where(valid, picture(), np.float32(1e9))
    structure = edge_structure(spoilt, valid)
    assert np.allclose(structure, edge_structure(picture(), valid))
    near = ndimage.binary_dilation(~valid, np.ones((2 * GRADIENT_REACH_PX + 1,) * 2))
    assert (structure[near] == 0).all()


@pytest.mark.parametrize(
    ("bands", "valid"), [(np.full((2, 80, 80), 7, np.float32), ALL), (picture(), np.zeros_like(ALL))]
)
def test_without_gradients_or_valid_pixels_there_is_no_structure(bands: np.ndarray, valid: np.ndarray) -> None:
    assert not edge_structure(bands, valid).any()


def test_the_reach_is_sufficient() -> None:
    large = picture(shape=(120, 120))
    part = edge_structure(large[:, 20:100, 20:100], ALL)
    inner = slice(STRUCTURE_REACH_PX, -STRUCTURE_REACH_PX)
    whole = edge_structure(large, np.ones((120, 120), np.bool_))[20:100, 20:100]
    # Equal up to a factor: the typical gradient depends on the window.
    ratio = np.abs(part[inner, inner]) / np.maximum(np.abs(whole[inner, inner]), 1e-6)
    clear = np.abs(whole[inner, inner]) > 0.2
    assert np.allclose(np.angle(part[inner, inner][clear] / whole[inner, inner][clear]), 0, atol=1e-3)
    assert ratio[clear].min() > 0.7 and ratio[clear].max() < 1.4
