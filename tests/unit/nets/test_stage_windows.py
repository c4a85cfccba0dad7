"""Computing only the needed cells does not change the pixels of the core, and few cells are computed."""

import pytest
import torch

from clairemap.grid.window import Window
from clairemap.nets.claire import Claire
from clairemap.nets.image import Image
from clairemap.nets.sizes import SIZES
from clairemap.nets.stage_windows import cells_between, stage_windows
from clairemap.settings import NetworkSettings

SHAPE = (896, 1024)
CORES = [
    Window(0, 0, *SHAPE),
    Window(256, 256, 384, 512),
    Window(0, 512, 128, 512),
    Window(768, 0, 100, 1),
    Window(391, 517, 1, 1),
    Window(300, 333, 77, 55),
]


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)

    def image(bands: int):
        weight = torch.rand(1, 1, *SHAPE, generator=generator)
        weight[..., 250:330, 320:600] = 0  # nodata across the edges of the cores and next to them
        weight[..., 385:396, 500:572] = 0
        return Image(torch.randn(1, bands, *SHAPE, generator=generator), weight * (weight > 0.2))

    return image(3), image(2)


def network(fusion: str):
    torch.manual_seed(0)
    made = Claire(3, 2, 5, NetworkSettings.model_validate({"fusion": fusion})).eval()
    for name, parameter in made.named_parameters():
        if name.endswith(".scale"):
            torch.nn.init.ones_(parameter)
        if name.endswith(".position_bias"):
            torch.nn.init.normal_(parameter)
    return made


@pytest.mark.parametrize("fusion", ["window", "conv", "gate", "sum", "early"])
@torch.inference_mode()
def test_wanted_pixels_are_those_of_the_whole(fusion: str, images: tuple[Image, Image]):
    claire = network(fusion)
    whole = claire.cells(*images)
    for core in CORES:
        part = claire.cells(*images, core)
        assert part.window == cells_between(core, SHAPE, claire.stride)
        for found, expected in zip(part[:2], whole[:2], strict=True):
            torch.testing.assert_close(found, expected[..., *part.window.slices], rtol=0, atol=2e-6)


@torch.inference_mode()
def test_wanted_pixels_of_one_sensor_are_those_of_the_whole(images: tuple[Image, Image]):
    claire = network("window")
    optical, sar = images
    nothing = optical._replace(weight=torch.zeros_like(optical.weight))
    whole = claire.cells(nothing, sar)
    part = claire.cells(nothing, sar, CORES[1])
    for found, expected in zip(part[:2], whole[:2], strict=True):
        torch.testing.assert_close(found, expected[..., *part.window.slices], rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", SIZES)
def test_fine_stages_need_little_more_than_the_core(size: str):
    found = stage_windows(SIZES[size], "window", Window(512, 512, 256, 256), (1280, 1280))
    margins = [part.fused.refined(stage.stride) for part, stage in zip(found, SIZES[size].stages, strict=True)]
    assert [512 - margin.x0 for margin in margins] == [20, 64, 128, 256]
    assert [margin.x1 - 768 for margin in margins] == [20, 64, 128, 256]
    assert all(part.decoded.intersection(part.fused) == part.decoded for part in found)


def test_for_all_pixels_all_cells_are_computed():
    for part, stage in zip(stage_windows(SIZES["tiny"], "conv", CORES[0], SHAPE), SIZES["tiny"].stages, strict=True):
        whole = Window.whole((SHAPE[0] // stage.stride, SHAPE[1] // stage.stride))
        assert part.fused == part.decoded == whole


def test_pixels_lie_between_cells_on_all_sides_but_the_edge():
    assert cells_between(Window(8, 8, 4, 9), (64, 64), 4) == Window(1, 1, 3, 5)
    assert cells_between(Window(0, 60, 5, 4), (64, 64), 4) == Window(0, 14, 3, 2)
