"""Layers whose features stay bfloat16 on a GPU; the condition is met on the CPU here."""

import pytest
import torch
from torch import Tensor, nn

from clairemap.nets import layers
from clairemap.nets.claire import Claire
from clairemap.nets.layers import CellNorm, ConvNextBlock
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
