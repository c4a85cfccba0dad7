import itertools

import pytest
import torch
from torch import Tensor

from clairemap.nets.fusion import ReliabilityGate, fusion
from clairemap.nets.layers import Sensors
from clairemap.nets.sizes import Stage

STAGE = Stage(stride=8, width=8, depth=1, heads=2, window=4)


def features(seed: int) -> Tensor:
    return torch.randn(1, 8, 8, STAGE.width, generator=torch.Generator().manual_seed(seed))


def weights() -> Sensors:
    """Return all pairs of the weights 0, tiny, medium and 1."""
    pairs = torch.tensor(list(itertools.product([0, 1e-30, 0.4, 1], repeat=2))).repeat(4, 1).reshape(1, 8, 8, 2)
    return Sensors(pairs[..., :1], pairs[..., 1:])


def test_shares_sum_to_one_and_are_exactly_0_where_a_sensor_is_invalid():
    torch.manual_seed(0)
    weight = weights()
    share = ReliabilityGate(STAGE.width)(Sensors(features(1), features(2)), weight)
    total = share.optical + share.sar
    anything = (weight.optical > 0) | (weight.sar > 0)
    torch.testing.assert_close(total, anything.float(), rtol=0, atol=1e-6)
    for own, valid in zip(share, weight, strict=True):
        assert torch.all(own[valid == 0] == 0)
        assert torch.all((own >= 0) & (own <= 1))
    assert torch.all(share.optical[(weight.optical > 0) & (weight.sar == 0)] == 1)


def test_a_sensor_alone_has_share_1_even_against_extreme_logits():
    gate = ReliabilityGate(STAGE.width)
    torch.nn.init.constant_(gate.decide.bias, 0)
    gate.decide.bias.data[1] = 1e4
    one = torch.ones(1, 8, 8, 1)
    share = gate(Sensors(features(1), features(2)), Sensors(one, 0 * one))
    assert torch.all(share.optical == 1)
    assert torch.all(share.sar == 0)


def test_halving_a_weight_halves_the_odds():
    gate = ReliabilityGate(STAGE.width)
    torch.nn.init.zeros_(gate.decide.weight)  # logits do not depend on the features
    one = torch.ones(1, 8, 8, 1)
    seen = Sensors(features(1), features(2))
    whole, half = gate(seen, Sensors(one, one)), gate(seen, Sensors(0.5 * one, one))
    torch.testing.assert_close(half.optical / half.sar, 0.5 * whole.optical / whole.sar)


@pytest.mark.parametrize("name", ["window", "conv", "gate", "sum"])
def test_fused_features_ignore_values_under_weight_0(name: str):
    torch.manual_seed(0)
    module = fusion(name, STAGE)
    weight = weights()
    seen = Sensors(features(1), features(2))
    other = Sensors(*(torch.where(w > 0, x, 50.0) for x, w in zip(seen, weight, strict=True)))
    torch.testing.assert_close(module(seen, weight)[0], module(other, weight)[0], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["window", "conv"])
def test_a_sensor_with_a_share_near_0_does_not_spoil_the_other(name: str):
    torch.manual_seed(0)
    module = fusion(name, STAGE)
    torch.nn.init.zeros_(module.gate.decide.weight)
    one = torch.ones(1, 8, 8, 1)
    sar, fused = features(2), {}
    for bias in (0.0, 30.0):
        module.gate.decide.bias.data = torch.tensor([0.0, bias])
        fused[bias] = [module(Sensors(features(seed), sar), Sensors(one, one))[0] for seed in (1, 3)]
    assert (fused[0.0][0] - fused[0.0][1]).abs().max() > 0.1
    torch.testing.assert_close(*fused[30.0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["window", "conv", "gate", "sum"])
def test_gradients_are_finite_whatever_the_weights(name: str):
    torch.manual_seed(0)
    module = fusion(name, STAGE)
    fused, share = module(Sensors(features(1), features(2)), weights())
    (fused.sum() + share.optical.sum()).backward()
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert len(gradients) == len(list(module.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_an_unknown_fusion_is_rejected():
    with pytest.raises(ValueError, match="window, conv, gate or sum"):
        fusion("mean", STAGE)
