import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.grid.cover import WindowCover
from clairemap.grid.window import Window
from clairemap.inference.blending import ramps, widened

SIDE = st.integers(1, 300)


@settings(max_examples=60, deadline=None)
@given(shape=st.tuples(SIDE, SIDE), core=st.integers(4, 12).map(lambda n: n * 8), blend=st.integers(1, 16))
def test_weights_of_all_windows_add_up_to_one(shape: tuple[int, int], core: int, blend: int):
    total = np.zeros(shape, np.float32)
    for step in WindowCover(core, 16, 8).steps(Window.whole(shape), shape):
        rows, columns = ramps(step.core, blend, shape)
        assert (rows > 0).all() and (columns > 0).all()
        total[widened(step, blend, shape).core.slices] += rows[:, None] * columns
    assert np.allclose(total, 1, atol=1e-5)
