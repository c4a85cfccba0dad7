import base64
import zlib

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.report.budget import Budget
from clairemap.report.map_frame import MapFrame
from clairemap.report.pixel_geometry import QuarterTurn
from clairemap.report.pyramid import Block, LayerSource, Pyramid, pyramids, top_step

SIDE = 2500
FRAME = MapFrame(GeoBox((SIDE, SIDE), Affine.identity(), None), QuarterTurn(), None)
WHOLE = Window(0, 0, SIDE, SIDE)
VALUES = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) // 500).astype(np.uint8)


def read(window: Window, step: int) -> NDArray[np.uint8]:
    return VALUES[window.slices][::step, ::step]


def built(budget: int, finest_step: int = 1, values: NDArray[np.uint8] | None = None) -> Pyramid:
    source = LayerSource("landcover", "classes", finest_step, read if values is None else lambda *_: values)
    (pyramid,) = pyramids([source], [WHOLE], FRAME, Budget(budget), 1024)
    return pyramid


def stored(block: Block) -> NDArray[np.uint8]:
    values = np.frombuffer(zlib.decompress(base64.b64decode(block.data)), np.uint8)
    return values.reshape(block.height, block.width)


def test_a_large_budget_gives_full_resolution():
    pyramid = built(10**8)
    assert pyramid.finest_step == 1
    assert sorted({block.step for block in pyramid.blocks}) == [1, 2, 4]
    for block in pyramid.blocks:
        left, top, right, bottom = map(int, block.box)
        assert np.array_equal(stored(block), VALUES[top : bottom : block.step, left : right : block.step])
    finest = [block.box for block in pyramid.blocks if block.step == 1]
    assert sum((right - left) * (bottom - top) for left, top, right, bottom in finest) == SIDE**2


def test_without_a_budget_the_coarsest_level_remains():
    pyramid = built(0)
    assert [block.step for block in pyramid.blocks] == [top_step(WHOLE)] == [4]


def test_levels_end_at_the_finest_step_of_the_source():
    assert built(10**8, finest_step=2).finest_step == 2
    assert [block.step for block in built(10**8, finest_step=16).blocks] == [16]


def test_blocks_without_data_are_left_out():
    assert built(10**8, values=np.full((9, 9), 255, np.uint8)).blocks == []
