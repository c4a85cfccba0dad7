from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from clairemap.artefacts.model_card import BandScale
from clairemap.classes import IGNORE_INDEX
from clairemap.errors import TrainingError
from clairemap.nets.claire import Claire
from clairemap.nets.rift import Rift
from clairemap.settings import LossSettings, NetworkSettings, TrainingSettings
from clairemap.tiles.dataset import TrainingSample
from clairemap.training.batches import BandScales
from clairemap.training.distributed import Processes
from clairemap.training.objective import Objective
from clairemap.training.schedule import learning_rate
from clairemap.training.step import StepContext, accumulate_gradient, train_step


def batch(dtype: torch.dtype) -> TrainingSample:
    """Return four uneven crops: a class in only one, one without labels, gaps in the sensors."""
    generator = torch.Generator().manual_seed(3)
    optical = torch.randn(4, 2, 128, 128, generator=generator).to(dtype)
    sar = torch.randn(4, 1, 128, 128, generator=generator).to(dtype)
    weights = torch.ones(2, 4, 1, 128, 128, dtype=dtype)
    weights[0, 0, :, :50] = 0
    weights[1, 2] = 0
    target = torch.randint(0, 2, (4, 128, 128), generator=generator)
    target[3, :9, :9] = 2
    target[1] = IGNORE_INDEX
    misleading = torch.zeros(4, 2, 128, 128, dtype=torch.bool)
    misleading[0, 0], misleading[3, 1, :70] = True, True
    return TrainingSample(optical, sar, *weights, target, misleading)


def loss_and_gradient(parts: int, dtype: torch.dtype, *weights: float) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    network = Claire(2, 1, 3, NetworkSettings(size="tiny")).to(dtype)
    objective = Objective(Rift(LossSettings(), (900, 80, 20)), *weights)
    loss = accumulate_gradient(network, objective, batch(dtype), parts)
    assert not any(value.requires_grad for value in loss)
    return torch.stack(loss), torch.cat([weight.grad.flatten() for weight in network.parameters()])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("weights", [(0, 0), (0.5, 0.3)])
def test_micro_batches_give_loss_and_gradient_of_the_whole_batch(
    dtype: torch.dtype, tolerance: float, weights: tuple[float, float]
):
    loss, gradient = loss_and_gradient(1, dtype, *weights)
    for parts in (2, 4):
        other_loss, other_gradient = loss_and_gradient(parts, dtype, *weights)
        assert torch.allclose(other_loss, loss, rtol=tolerance, atol=0)
        assert float((other_gradient - gradient).norm() / gradient.norm()) < tolerance


def test_loss_of_each_sensor_ignores_what_it_does_not_see_and_where_it_misleads():
    """The gradient is that of three separate passes: both sensors, optical alone, SAR alone."""
    alone_weight, dtype = 0.5, torch.float64
    found, gradient = loss_and_gradient(1, dtype, alone_weight)
    torch.manual_seed(0)
    network = Claire(2, 1, 3, NetworkSettings(size="tiny")).to(dtype)
    rift, crops = Rift(LossSettings(), (900, 80, 20)), batch(dtype)
    optical, sar, optical_weight, sar_weight, target, misleading = crops
    nothing = torch.zeros_like(optical_weight)
    expected = []
    for weights, factor in (
        ((optical_weight, sar_weight), 1.0),
        ((optical_weight, nothing), alone_weight),
        ((nothing, sar_weight), alone_weight),
    ):
        seen = torch.cat(weights, dim=1) > 0
        if factor < 1:
            seen &= ~misleading
        seen = seen.any(dim=1)
        loss = rift(network(optical, sar, *weights).logits, torch.where(seen, target, IGNORE_INDEX))
        expected.append(factor / (1 + 2 * alone_weight) * torch.stack(loss))
    total = torch.stack(expected).sum(0)
    total[0].backward()
    separate = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    assert torch.allclose(found, total.detach(), rtol=1e-12, atol=0)
    assert float((gradient - separate).norm() / separate.norm()) < 1e-11


class Logits(NamedTuple):
    logits: Tensor
    alone: tuple[Tensor, ...] = ()


RIFT = Objective(Rift(LossSettings(), (1, 1, 1)))


class Watched(nn.Module):
    """A network that records its batch sizes while activations are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 3, 1)
        self.seen: list[tuple[int, bool]] = []

    def forward(self, optical: Tensor, *_: Tensor) -> Logits:
        self.seen.append((len(optical), torch.is_grad_enabled()))
        return Logits(self.layer(optical))


def test_only_one_micro_batch_keeps_activations():
    network = Watched()
    accumulate_gradient(network, RIFT, batch(torch.float32), 2)
    assert network.seen == [(2, False), (2, False), (2, True), (2, True)]
    network.seen.clear()
    accumulate_gradient(network, RIFT, batch(torch.float32), 1)
    assert network.seen == [(4, True)]


def context(network: nn.Module, **chosen: object) -> StepContext:
    """Plain gradient descent: a step is the clipped gradient times the learning rate."""
    scales = BandScales(
        BandScale(names=("a", "b"), mean=(0, 0), std=(1, 1)), BandScale(names=("c",), mean=(0,), std=(1,))
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=1.0)
    processes = Processes(0, 1, torch.device("cpu"))
    return StepContext(network, RIFT, optimiser, scales, TrainingSettings(**chosen), processes)


def weights(network: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


@pytest.mark.parametrize("number", [0, 7, 19])
def test_a_step_is_the_clipped_gradient_times_the_learning_rate_of_that_step(number: int):
    network = Watched()
    made = context(network, clip_norm=0.01, learning_rate=0.5, steps=20)
    before = weights(network)
    row = train_step(made, iter([batch(torch.float32)]), number)
    rate = learning_rate(number, made.settings)
    assert row.grad_norm > 0.05  # so that something is clipped
    assert row.lr == rate
    assert float((weights(network) - before).norm()) == pytest.approx(0.01 * rate, rel=1e-3)


def test_a_gradient_that_is_not_finite_stops_even_with_a_finite_loss():
    network = Watched()
    network.layer.weight.register_hook(lambda gradient: gradient * torch.inf)
    before = weights(network)
    with pytest.raises(TrainingError, match=r"step 4: the loss is \d.* the gradient norm is (inf|nan)"):
        train_step(context(network), iter([batch(torch.float32)]), 3)
    assert torch.equal(weights(network), before)
