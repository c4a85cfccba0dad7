import numpy as np
import torch

from clairemap.artefacts.model_card import BandScale
from clairemap.nets.normalisation import normalise


def test_every_band_has_its_own_mean_and_deviation():
    values = torch.from_numpy(np.array([[[[100, 300]], [[7, 9]]]], np.uint16))
    got = normalise(values, BandScale(names=("a", "b"), mean=(200, 8), std=(50, 2)))
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor([[[[-2.0, 2.0]], [[-0.5, 0.5]]]]))


def test_values_that_are_not_finite_become_the_mean():
    values = torch.tensor([[[[float("nan"), float("inf"), -float("inf"), -9.0]]]])
    torch.testing.assert_close(
        normalise(values, BandScale(names=("a",), mean=(-11.0,), std=(4.0,))), torch.tensor([[[[0.0, 0.0, 0.0, 0.5]]]])
    )


def test_the_input_is_unchanged():
    values = torch.tensor([[[1.0, 2.0]]])
    normalise(values, BandScale(names=("a",), mean=(1.0,), std=(2.0,)))
    assert values.tolist() == [[[1.0, 2.0]]]
