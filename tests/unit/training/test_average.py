import io

import pytest
import torch

from clairemap.training.average import moving_average

DECAY = 0.9


def updated(times: int):
    network = torch.nn.Linear(1, 1, bias=False)
    average = moving_average(network, DECAY)
    for number in range(times):
        torch.nn.init.constant_(network.weight, float(number**2))
        average.update_parameters(network)
    return network, average


@pytest.mark.parametrize("times", [1, 2, 3, 40])
def test_weights_in_the_average_decay_with_age_and_the_start_has_none(times: int):
    _, average = updated(times)
    shares = [DECAY ** (times - 1 - number) for number in range(times)]
    expected = sum(share * number**2 for number, share in enumerate(shares)) / sum(shares)
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_a_saved_average_resumes_exactly():
    network, average = updated(3)
    file = io.BytesIO()
    torch.save(average.state_dict(), file)
    file.seek(0)
    other = moving_average(torch.nn.Linear(1, 1, bias=False), DECAY)
    other.load_state_dict(torch.load(file, weights_only=True))
    for one in (average, other):
        one.update_parameters(network)
    assert torch.equal(other.module.weight, average.module.weight)
