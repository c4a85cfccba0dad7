import numpy as np
import pytest
import torch

from clairemap.grid.cover import Step
from clairemap.grid.window import Window
from clairemap.inference.reading import WindowInput
from clairemap.inference.window_mapping import map_window
from clairemap.nets.bundle import Bundle
from clairemap.nets.image import Image


@pytest.mark.parametrize("core", [Window(0, 0, 128, 256), Window(3, 7, 50, 61), Window(126, 1, 2, 3)])
def test_core_of_a_window_equals_that_part_of_the_whole(core: Window, bundle: Bundle, monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    outer = Window(0, 0, 128, 256)
    cells = bundle.network.cells

    def varying(optical: Image, sar: Image, core: Window):
        found = cells(optical, sar, core)
        share = torch.rand(1, 1, 32, 64, generator=torch.Generator().manual_seed(1))
        return found._replace(optical_share=share[..., *found.window.slices])

    monkeypatch.setattr(bundle.network, "cells", varying)

    def reading(kept: Window):
        usable = np.ones(outer.shape, np.bool_)
        return WindowInput(Step(outer, kept), optical, sar, usable, usable)

    optical = rng.integers(0, 3000, (2, *outer.shape)).astype(np.uint16)
    sar = rng.normal(-12, 3, (1, *outer.shape)).astype(np.float32)
    whole = map_window(bundle.network, bundle.card, "float32", reading(outer))
    part = map_window(bundle.network, bundle.card, "float32", reading(core))
    assert np.array_equal(part.optical_share, whole.optical_share[core.slices])
    assert np.abs(part.probability.astype(int) - whole.probability[:, *core.slices]).max() <= 1
