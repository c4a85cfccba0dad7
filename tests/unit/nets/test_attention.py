import pytest
import torch
from torch import Tensor

from clairemap.nets.attention import ConvExchange, WindowedCrossAttention, WindowExchange
from clairemap.nets.layers import Sensors

HEADS, WINDOW, CHANNELS = 2, 4, 6


def attention() -> WindowedCrossAttention:
    torch.manual_seed(0)
    module = WindowedCrossAttention(CHANNELS, HEADS, WINDOW).double()
    torch.nn.init.normal_(module.position_bias)
    return module


def features(seed: int, height: int = 8, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, height, width, CHANNELS, generator=generator, dtype=torch.float64)


def in_cell_strips(module: WindowedCrossAttention, asking: Tensor, asked: Tensor, weight: Tensor) -> Tensor:
    """The same attention, one asking cell at a time."""
    query = module.query(asking).unflatten(-1, (HEADS, -1))
    key, value = (x.unflatten(-1, (HEADS, -1)) for x in module.key_value(asked).chunk(2, dim=-1))
    told = torch.zeros_like(query)
    for b, y, x, head in torch.cartesian_prod(*(torch.arange(n) for n in (*asking.shape[:3], HEADS))).tolist():
        y0, x0 = y // WINDOW * WINDOW, x // WINDOW * WINDOW
        scores, values = [], []
        for v, u in torch.cartesian_prod(torch.arange(y0, y0 + WINDOW), torch.arange(x0, x0 + WINDOW)).tolist():
            if weight[b, v, u, 0] > 0:
                offset = (y - v + WINDOW - 1) * (2 * WINDOW - 1) + x - u + WINDOW - 1
                score = query[b, y, x, head] @ key[b, v, u, head] / (CHANNELS // HEADS) ** 0.5
                scores.append(score + module.position_bias[head, offset] + weight[b, v, u, 0].log())
                values.append(value[b, v, u, head])
        if scores:
            told[b, y, x, head] = torch.stack(scores).softmax(0) @ torch.stack(values)
    return module.out(told.flatten(-2))


def test_equals_attention_written_out_cell_by_cell():
    module, asking, asked = attention(), features(1, 4, 8), features(2, 4, 8)
    weight = torch.rand(2, 4, 8, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight[0, :, :3] = 0
    weight[1, :, 4:] = 0  # a whole window
    torch.testing.assert_close(
        module(asking, asked, weight), in_cell_strips(module, asking, asked, weight), rtol=1e-12, atol=1e-14
    )


def test_a_window_without_valid_cells_adds_exactly_nothing():
    module = attention()
    weight = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    weight[:, :4, 4:8] = 0
    told = module(features(1), features(2), weight)
    assert torch.all(told[:, :4, 4:8] == 0)
    assert torch.all(told[:, 4:] != 0)


def test_gradients_are_finite_where_windows_are_masked():
    module, asked = attention(), features(2).requires_grad_()
    weight = torch.zeros(2, 8, 12, 1, dtype=torch.float64)
    weight[0, 0, 0] = 1
    module(features(1), asked, weight).sum().backward()
    assert asked.grad is not None
    assert torch.all(asked.grad[1] == 0)
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert len(gradients) == len(list(module.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("exchange", [WindowExchange(CHANNELS, HEADS, WINDOW), ConvExchange(CHANNELS)])
def test_what_lies_under_weight_0_is_not_told(exchange: torch.nn.Module):
    exchange.double()
    clear = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    hidden = clear.clone()
    hidden[:, 2:7, 3:9] = 0
    optical, sar = features(1), features(2)
    other = torch.where(hidden > 0, optical, 1e3)
    told = exchange(Sensors(optical, sar), Sensors(hidden, clear))
    again = exchange(Sensors(other, sar), Sensors(hidden, clear))
    torch.testing.assert_close(told.sar, again.sar, rtol=0, atol=0)


@pytest.mark.parametrize("exchange", [WindowExchange(CHANNELS, HEADS, WINDOW), ConvExchange(CHANNELS)])
def test_a_missing_sensor_tells_exactly_nothing(exchange: torch.nn.Module):
    exchange.double()
    clear = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    told = exchange(Sensors(features(1), features(2)), Sensors(0 * clear, clear))
    assert torch.all(told.sar == 0)
    assert not torch.all(told.optical == 0)
