import numpy as np

from clairemap.grid.window import Window
from clairemap.raster.pair_block import PairBlock


def test_all_layers_are_cropped_alike():
    index = np.arange(20).reshape(4, 5)
    flat = index.astype(np.uint8)
    block = PairBlock(optical=np.stack([index, -index]), sar=index[None].astype(np.float32), label=flat, validity=flat)
    window = Window(1, 2, 2, 3)
    found = block.cropped(window)
    assert list(found.layers) == ["optical", "sar", "label", "validity"]
    expected = [[7, 8, 9], [12, 13, 14]]
    assert found.optical.tolist() == [expected, (-np.array(expected)).tolist()]
    assert found.sar.tolist() == [expected]
    assert found.label.tolist() == found.validity.tolist() == expected
