import pytest

from clairemap.nets.sizes import SIZES, NetworkSize
from clairemap.settings import ALIGN_PX


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_windows_fit_the_alignment_of_tiles(size: NetworkSize):
    assert size.align_px == ALIGN_PX
    assert [stage.stride for stage in size.stages] == [4, 8, 16, 32]
    assert all(stage.width % stage.heads == 0 for stage in size.stages if stage.window)
