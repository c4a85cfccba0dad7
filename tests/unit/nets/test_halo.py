import pytest
import torch

from clairemap.nets import halo
from clairemap.nets.claire import Claire
from clairemap.settings import NetworkSettings


def claire(scale: float, **settings: str) -> Claire:
    torch.manual_seed(0)
    network = Claire(3, 1, 4, NetworkSettings.model_validate(settings))
    for name, parameter in network.named_parameters():
        if name.endswith(".scale"):
            torch.nn.init.constant_(parameter, scale)
    return network


def test_a_stronger_network_needs_a_wider_halo():
    (weak, left_weak), (strong, left_strong) = (halo.measured_halo_px(claire(scale)) for scale in (0.01, 1.0))
    assert weak < strong
    assert weak % 128 == strong % 128 == 0
    assert max(left_weak, left_strong) <= halo.TOLERANCE_SIGMA


def test_a_strip_that_is_too_short_warns_of_the_remaining_effect(caplog: pytest.LogCaptureFixture):
    longest, effect = halo.measured_halo_px(claire(1.0), length_px=512)
    assert longest == 128
    assert effect > halo.TOLERANCE_SIGMA
    assert "beyond 128 px" in caplog.text and f"{effect:.2g} standard deviations (accepted: 0.0001)" in caplog.text


def tf32() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


def test_tf32_is_off_while_the_halo_is_measured(monkeypatch: pytest.MonkeyPatch):
    network, before, seen = claire(0.01), tf32(), set()
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda *batch: seen.add(tf32()) or forward(*batch))
    halo.measured_halo_px(network, length_px=512)
    assert seen == {(False, False)}
    assert tf32() == before


def test_full_precision_ends_with_its_context():
    before = tf32()
    with pytest.raises(ZeroDivisionError), halo.full_precision():
        assert tf32() == (False, False)
        raise ZeroDivisionError
    assert tf32() == before


@pytest.mark.parametrize("fusion", ["window", "conv", "gate", "sum", "early"])
def test_a_cut_has_no_effect_beyond_the_theoretical_reach(fusion: str):
    network = claire(1.0, fusion=fusion).double()
    reach = halo.theoretical_reach_px(network)
    generator = torch.Generator().manual_seed(1)
    optical = torch.randn(1, 3, 128, 1408, generator=generator, dtype=torch.float64)
    sar, one = optical[:, :1].clone(), torch.ones(1, 1, 128, 1408, dtype=torch.float64)
    with torch.inference_mode():
        before = network(optical, sar, one, one).logits
        optical[..., 704] += 100
        change = network(optical, sar, one, one).logits - before
    columns = change.abs().amax(dim=(0, 1, 2)).nonzero().flatten()
    assert 704 - reach <= columns.min() and columns.max() <= 704 + reach
    assert columns.max() - columns.min() > reach / 2  # the bound is not too loose


def test_measuring_leaves_mode_and_weights_unchanged():
    network = claire(0.1).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert halo.measured_halo_px(network) == halo.measured_halo_px(network)
    assert network.training
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)
