import numpy as np
import pytest
import torch

from clairemap.artefacts.model_card import BandScale
from clairemap.artefacts.store_attributes import BandMoments
from clairemap.nets.normalisation import normalise
from clairemap.tiles.matching import LinearMatch

TRAINING = BandScale(names=("red", "nir"), mean=(100, 50), std=(20, 5))


def test_a_matched_scene_has_the_moments_of_the_training():
    values = np.random.default_rng(0).normal((7, -3), (2, 9), (1000, 2)).T.astype(np.float32)[:, None]
    scene = BandMoments(mean=tuple(values.mean((1, 2)).tolist()), std=tuple(values.std((1, 2)).tolist()))
    matched = LinearMatch.between(scene, TRAINING)(values)
    assert matched.dtype == np.float32
    assert matched.mean((1, 2)) == pytest.approx(TRAINING.mean, rel=1e-4)
    assert matched.std((1, 2)) == pytest.approx(TRAINING.std, rel=1e-4)


def test_a_band_without_variation_is_only_moved():
    values = np.array([[[3.0, 4.0]], [[8.0, 8.0]]], np.float32)
    matched = LinearMatch.between(BandMoments(mean=(3.5, 8), std=(0.5, 0)), TRAINING)(values)
    assert matched.tolist() == [[[80, 120]], [[50, 50]]]


def test_matched_values_are_normalised_as_in_mapping():
    scene = BandMoments(mean=(3.5, 8), std=(0.5, 0))
    values = torch.tensor([[[3.0, 4.0]], [[8.0, 8.5]]])
    matched = torch.from_numpy(LinearMatch.between(scene, TRAINING)(values.numpy()))
    torch.testing.assert_close(normalise(matched, TRAINING), normalise(values, TRAINING.with_moments(scene)))


def test_without_moments_values_are_unchanged():
    values = np.array([[[3.0, np.nan]], [[8.0, 9.0]]], np.float32)
    assert np.array_equal(LinearMatch.between(None, TRAINING)(values), values, equal_nan=True)
