"""Gradients of layers, and what layers do on a GPU alone; its conditions are met on the CPU here."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from clairemap.nets import layers
from clairemap.nets.claire import Claire
from clairemap.nets.layers import CellNorm, ConvNextBlock, DepthwiseConv, PatchConv
from clairemap.settings import NetworkSettings


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the code path of a GPU on the CPU."""
    monkeypatch.setattr(layers, "stays_bfloat16", lambda x: x.dtype == torch.bfloat16)


def images(side: int = 128) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(1)
    optical, sar = (torch.randn(2, bands, side, side, generator=random) for bands in (4, 2))
    weight = torch.ones(2, 1, side, side)
    weight[..., : side // 3] = 0
    return optical, sar, weight, torch.ones(2, 1, side, side)


def result(network: Claire, *, bfloat16: bool) -> tuple[Tensor, Tensor]:
    """Return logits and the gradient of all weights."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        logits = network(*images()).logits
    logits.float().square().mean().backward()
    return logits.detach(), torch.cat([weight.grad.flatten() for weight in network.parameters()])


def conv2d_for_the_kernel(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Do what PyTorch's CUDA kernel does, and check what it is given."""
    assert x.is_contiguous() and weight.is_contiguous()
    assert x.dtype == weight.dtype == bias.dtype
    return nn.functional.conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))


@pytest.mark.parametrize(
    "layer", [DepthwiseConv(24, 7), DepthwiseConv(24, 3), PatchConv(24, 32, 4), PatchConv(24, 48, 2)]
)
def test_without_cudnn_layers_give_the_same(layer: nn.Module, monkeypatch: pytest.MonkeyPatch):
    cells = torch.randn(2, 24, 16, 20, generator=torch.Generator().manual_seed(3)).permute(0, 2, 3, 1)
    with torch.inference_mode():
        expected = layer(cells)
        monkeypatch.setattr(layers, "avoids_cudnn", lambda _: True)
        monkeypatch.setattr(layers, "depthwise_kernel", conv2d_for_the_kernel)
        found = layer(cells)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = layer(cells)
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected)
    assert rounded.is_contiguous() and rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("fusion", ["window", "conv", "early"])
def test_without_cudnn_a_network_gives_the_same(fusion: str, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(2)
    network = Claire(4, 2, 7, NetworkSettings.model_validate({"fusion": fusion})).eval()
    with torch.inference_mode():
        expected = network(*images()).logits
        monkeypatch.setattr(layers, "avoids_cudnn", lambda _: True)
        monkeypatch.setattr(layers, "depthwise_kernel", conv2d_for_the_kernel)
        found = network(*images()).logits
    assert (found - expected).abs().max() < 1e-5 * expected.std()


def test_the_depthwise_kernel_takes_these_arguments():
    names = [argument.name for argument in torch.ops.aten._conv_depthwise2d.default._schema.arguments]
    assert names == ["self", "weight", "kernel_size", "bias", "stride", "padding", "dilation"]
    with pytest.raises(NotImplementedError, match="CPU"):  # all fits but the device
        layers.depthwise_kernel(torch.zeros(2, 24, 16, 20), torch.zeros(24, 1, 7, 7), torch.zeros(24))


@pytest.mark.parametrize(
    ("is_cuda", "mode", "values", "expected"),
    [
        (True, torch.inference_mode, 2**31 - 1, True),
        (True, torch.inference_mode, 2**31, False),
        (True, torch.no_grad, 1, False),
        (True, torch.enable_grad, 1, False),
        (False, torch.inference_mode, 1, False),
    ],
)
def test_only_inference_on_a_gpu_avoids_cudnn(
    is_cuda: bool, mode: Callable[[], AbstractContextManager[None]], values: int, expected: bool
):
    features = SimpleNamespace(is_cuda=is_cuda, numel=lambda: values)
    with mode():
        assert layers.avoids_cudnn(features) == expected


def test_a_norm_in_float32_is_that_of_pytorch():
    ours, theirs = CellNorm(24, eps=1e-6), nn.LayerNorm(24, eps=1e-6)
    cells = torch.randn(2, 3, 5, 24)
    assert torch.equal(ours(cells), theirs(cells))
    assert ours.state_dict().keys() == theirs.state_dict().keys()


@pytest.mark.usefixtures("as_on_a_gpu")
def test_features_stay_bfloat16():
    cells = torch.randn(2, 8, 8, 24, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert CellNorm(24)(cells).dtype == torch.bfloat16
        assert ConvNextBlock(24)(cells).dtype == torch.bfloat16


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("fusion", ["window", "conv", "gate", "sum", "early"])
def test_bfloat16_is_near_float32(fusion: str):
    torch.manual_seed(2)
    network = Claire(4, 2, 7, NetworkSettings.model_validate({"fusion": fusion}))
    logits, gradient = result(network, bfloat16=False)
    rounded, of_rounded = result(network, bfloat16=True)
    assert rounded.dtype == torch.bfloat16
    assert (rounded - logits).std() < 0.03 * logits.std()
    assert nn.functional.cosine_similarity(gradient, of_rounded, dim=0) > 0.99


@pytest.mark.parametrize("factor", [2, 4])
def test_the_gradient_of_filling_is_that_of_its_forward_pass(factor: int):
    generator = torch.Generator().manual_seed(1)
    cells = torch.rand(2, 8, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    usable = torch.rand(2, 8, 4, 1, generator=generator) > 0.4
    usable[0, :4] = False
    assert torch.autograd.gradcheck(lambda x: layers.fill_unusable(x, usable, factor), cells)
