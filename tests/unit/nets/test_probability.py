import numpy as np
import pytest
import torch
from scipy.special import softmax

from clairemap.nets import probability
from clairemap.nets.probability import stored_probability


def test_a_temperature_divides_the_logits():
    logits = torch.tensor([[[2.0]], [[0.0]]])
    assert stored_probability(logits, 2.0).ravel().tolist() == [round(255 / (1 + np.exp(-1))), 69]
    assert stored_probability(logits).ravel().tolist() == [round(255 / (1 + np.exp(-2))), 30]


@pytest.mark.parametrize("shape", [(3, 7, 5), (3, 41)])
@pytest.mark.parametrize("strip_px", [1, 10, 1000])
def test_strips_leave_no_trace(shape: tuple[int, ...], strip_px: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probability, "STRIP_PX", strip_px)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    before = logits.clone()
    found = stored_probability(logits, 0.7)
    assert found.dtype == np.uint8
    assert np.abs(found - 255 * softmax(logits.double().numpy() / 0.7, axis=0)).max() < 0.5001
    assert torch.equal(logits, before)
