import numpy as np
import pytest
from scipy import ndimage

from clairemap.tiles.holes import HOLE_SHARES, sample_holes

DRAWS = 400
SHAPE = (96, 128)


def drawn(draws: int = DRAWS, shape: tuple[int, int] = SHAPE):
    return [sample_holes(shape, np.random.default_rng(number)) for number in range(draws)]


def test_equal_generators_give_equal_holes():
    one, again = drawn(20), drawn(20)
    assert all(map(np.array_equal, one, again))
    assert len({mask.tobytes() for mask in one}) == 20


def test_the_share_is_uniform_and_below_1():
    shares = np.array([mask.mean() for mask in drawn()])
    low, high = HOLE_SHARES
    # With edges along rows and columns, all pixels of a line have the same distance.
    assert low - 0.001 <= shares.min() < low + 0.03 and high - 0.03 < shares.max() < high + 2 / min(SHAPE)
    assert shares.mean() == pytest.approx((low + high) / 2, abs=0.03)


def test_shapes_are_half_planes_stripes_and_blocks_with_straight_and_ragged_edges():
    masks = drawn()
    parts = np.array([ndimage.label(mask)[1] for mask in masks])
    assert 0.2 < (parts == 1).mean() < 0.8  # an edge or a block, straight
    assert (parts > 10).mean() > 0.03
    touched = np.array([sum(side.any() for side in (m[0], m[-1], m[:, 0], m[:, -1])) for m in masks])
    assert (touched == 0).any() and (touched == 4).any()  # inside the crop, and across all of it
    upright = [m.all(axis=0).sum() + m.all(axis=1).sum() for m in masks]
    assert 0.1 < np.mean(np.array(upright) > 0) < 0.7
    rims = np.array([(m ^ ndimage.binary_erosion(m, border_value=1)).sum() / m.sum() for m in masks])
    assert rims.min() < 0.1 and rims.max() > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (7, 3), (130, 16)])
def test_crops_of_any_shape(shape: tuple[int, int]):
    for mask in drawn(60, shape):
        assert mask.shape == shape and mask.dtype == np.bool_
