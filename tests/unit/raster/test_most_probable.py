import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.raster.most_probable import most_probable

SHAPES = st.tuples(st.integers(1, 64), st.integers(1, 5), st.integers(1, 5))
TYPES = st.sampled_from([np.uint8, np.float32])


@settings(max_examples=80, deadline=None)
@given(arrays(np.uint8, SHAPES), TYPES)
def test_is_argmax_and_maximum(probability: NDArray[np.uint8], kind: type):
    found = most_probable(probability.astype(kind))
    mapped = probability.any(axis=0)
    np.testing.assert_array_equal(found.probability, probability.max(axis=0))
    np.testing.assert_array_equal(found.index[mapped], probability.argmax(axis=0)[mapped])
    assert (found.index[~mapped] == IGNORE_INDEX).all()
    assert (found.index.dtype, found.probability.dtype) == (np.uint8, kind)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_ties_go_to_the_first_class(kind: type):
    assert most_probable(np.array([[[20]], [[85]], [[85]]], kind)).index.item() == 1


def test_254_classes_fit():
    probability = np.zeros((254, 1, 1), np.uint8)
    probability[253] = 1
    assert most_probable(probability).index.item() == 253
