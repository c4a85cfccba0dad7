import math

import pytest
import torch

from clairemap.tiles.dataset import TrainingSample
from clairemap.training.gate_loss import SMALLEST_SHARE, gate_loss

SIDE = 32


def minus_log(share: float) -> float:
    return -math.log(share + SMALLEST_SHARE)


def sample() -> TrainingSample:
    """Return two crops: optical misleads in the first's upper half, SAR everywhere in the second; gaps in SAR."""
    one = torch.ones(2, 1, SIDE, SIDE)
    sar_weight = one.clone()
    sar_weight[0, :, :, :8] = 0
    misleading = torch.zeros(2, 2, SIDE, SIDE, dtype=torch.bool)
    misleading[0, 0, :16], misleading[1, 1] = True, True
    return TrainingSample(one, one, one, sar_weight, torch.zeros(2, SIDE, SIDE, dtype=torch.int64), misleading)


def test_mean_over_the_cells_in_which_exactly_one_sensor_misleads():
    share = torch.full((2, 1, 8, 8), 0.25, requires_grad=True)
    found = gate_loss([share], sample())
    optical, sar = 4 * 6, 8 * 8  # cells; two columns have no SAR
    expected = (optical * minus_log(0.75) + sar * minus_log(0.25)) / (optical + sar)
    assert found.item() == pytest.approx(expected, rel=1e-6)
    found.backward()
    assert torch.all(share.grad[0, 0, :4, 2:] > 0) and torch.all(share.grad[1] < 0)
    assert torch.all(share.grad[0, 0, 4:] == 0) and torch.all(share.grad[0, 0, :, :2] == 0)


def test_all_strides_count_by_their_cells():
    shares = [torch.full((2, 1, 8, 8), 0.5), torch.full((2, 1, 4, 4), 0.1)]
    fine = 4 * 6 + 64
    coarse_optical, coarse_sar = 2 * 3, 16
    expected = fine * minus_log(0.5) + coarse_optical * minus_log(0.9) + coarse_sar * minus_log(0.1)
    assert float(gate_loss(shares, sample())) == pytest.approx(
        expected / (fine + coarse_optical + coarse_sar), rel=1e-5
    )


def test_without_misleading_cells_it_is_0_with_a_gradient():
    share = torch.full((2, 1, 8, 8), 0.25, requires_grad=True)
    batch = sample()
    both = torch.ones_like(batch.misleading)
    for misleading in (~both, both):
        found = gate_loss([share], batch._replace(misleading=misleading))
        assert found.item() == 0
        found.backward()
        assert not share.grad.any()


@pytest.mark.parametrize(("value", "wrong"), [(0.0, 1), (1.0, 0)])
def test_shares_of_0_and_1_have_finite_gradients_where_they_are_wrong(value: float, wrong: int):
    share = torch.full((2, 1, 8, 8), value, requires_grad=True)
    gate_loss([share], sample()).backward()
    assert torch.isfinite(share.grad).all()
    assert torch.all(share.grad[wrong, 0, :4, 2:] != 0)
