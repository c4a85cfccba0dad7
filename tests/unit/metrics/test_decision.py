import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.metrics.decision import decide


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 64), st.integers(1, 5), st.integers(1, 5))))
def test_is_argmax_and_maximum(probability: NDArray[np.uint8]):
    decision = decide(probability)
    mapped = probability.any(axis=0)
    np.testing.assert_array_equal(decision.confidence, probability.max(axis=0))
    np.testing.assert_array_equal(decision.index[mapped], probability.argmax(axis=0)[mapped])
    assert (decision.index[~mapped] == IGNORE_INDEX).all()


def test_ties_go_to_the_first_class():
    assert decide(np.full((3, 1, 1), 85, np.uint8)).index.item() == 0
