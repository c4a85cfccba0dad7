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


def attention_by_cell(module: WindowedCrossAttention, queries: Tensor, context: Tensor, weight: Tensor) -> Tensor:
    """Return the same attention, computed for one query cell at a time."""
    query = module.query(queries).unflatten(-1, (HEADS, -1))
    key, value = (x.unflatten(-1, (HEADS, -1)) for x in module.key_value(context).chunk(2, dim=-1))
    update = torch.zeros_like(query)
    for b, y, x, head in torch.cartesian_prod(*(torch.arange(n) for n in (*queries.shape[:3], HEADS))).tolist():
        y0, x0 = y // WINDOW * WINDOW, x // WINDOW * WINDOW
        scores, values = [], []
        for v, u in torch.cartesian_prod(torch.arange(y0, y0 + WINDOW), torch.arange(x0, x0 + WINDOW)).tolist():
            if weight[b, v, u, 0] > 0:
                offset = (y - v + WINDOW - 1) * (2 * WINDOW - 1) + x - u + WINDOW - 1
                score = query[b, y, x, head] @ key[b, v, u, head] / (CHANNELS // HEADS) ** 0.5
                scores.append(score + module.position_bias[head, offset] + weight[b, v, u, 0].log())
                values.append(value[b, v, u, head])
        if scores:
            update[b, y, x, head] = torch.stack(scores).softmax(0) @ torch.stack(values)
    return module.out(update.flatten(-2))


def test_equals_attention_computed_cell_by_cell():
    module, queries, context = attention(), features(1, 4, 8), features(2, 4, 8)
    weight = torch.rand(2, 4, 8, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    weight[0, :, :3] = 0
    weight[1, :, 4:] = 0  # a whole window
    torch.testing.assert_close(
        module(queries, context, weight), attention_by_cell(module, queries, context, weight), rtol=1e-12, atol=1e-14
    )


def test_a_window_without_valid_cells_adds_exactly_nothing():
    module = attention()
    weight = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    weight[:, :4, 4:8] = 0
    update = module(features(1), features(2), weight)
    assert torch.all(update[:, :4, 4:8] == 0)
    assert torch.all(update[:, 4:] != 0)


def test_gradients_are_finite_where_windows_are_masked():
    module, context = attention(), features(2).requires_grad_()
    weight = torch.zeros(2, 8, 12, 1, dtype=torch.float64)
    weight[0, 0, 0] = 1
    module(features(1), context, weight).sum().backward()
    assert context.grad is not None
    assert torch.all(context.grad[1] == 0)
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    assert len(gradients) == len(list(module.parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("exchange", [WindowExchange(CHANNELS, HEADS, WINDOW), ConvExchange(CHANNELS)])
def test_values_under_weight_0_have_no_influence(exchange: torch.nn.Module):
    exchange.double()
    clear = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    hidden = clear.clone()
    hidden[:, 2:7, 3:9] = 0
    optical, sar = features(1), features(2)
    other = torch.where(hidden > 0, optical, 1e3)
    update = exchange(Sensors(optical, sar), Sensors(hidden, clear))
    other_update = exchange(Sensors(other, sar), Sensors(hidden, clear))
    torch.testing.assert_close(update.sar, other_update.sar, rtol=0, atol=0)


@pytest.mark.parametrize("exchange", [WindowExchange(CHANNELS, HEADS, WINDOW), ConvExchange(CHANNELS)])
def test_a_missing_sensor_adds_exactly_nothing(exchange: torch.nn.Module):
    exchange.double()
    clear = torch.ones(2, 8, 12, 1, dtype=torch.float64)
    update = exchange(Sensors(features(1), features(2)), Sensors(0 * clear, clear))
    assert torch.all(update.sar == 0)
    assert not torch.all(update.optical == 0)
