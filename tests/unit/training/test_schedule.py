import pytest

from clairemap.settings import TrainingSettings
from clairemap.training.schedule import learning_rate


def rates(**values: object):
    settings = TrainingSettings(learning_rate=0.1, **values)
    return [learning_rate(step, settings) for step in range(settings.steps)]


def test_one_cycle_rises_to_the_peak_and_falls_to_almost_nothing():
    seen = rates(steps=100, warmup_share=0.2)
    assert seen[0] == pytest.approx(0.1 / 25)
    assert seen[20] == max(seen) == pytest.approx(0.1)
    assert seen[:21] == sorted(seen[:21])
    assert seen[20:] == sorted(seen[20:], reverse=True)
    assert seen[10] == pytest.approx((seen[0] + seen[20]) / 2)
    assert seen[60] == pytest.approx(0.1 * (1 + 1e-3) / 2)
    assert 1e-4 < seen[-1] < 2e-4


def test_cosine_decreases_from_the_start():
    seen = rates(steps=100, warmup_share=0.2, schedule="cosine")
    assert seen[0] == pytest.approx(0.1)
    assert seen == sorted(seen, reverse=True)
    assert seen[50] == pytest.approx(0.1 * (1 + 1e-3) / 2)
    assert 1e-4 < seen[-1] < 2e-4


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_length_and_share_gives_usable_rates(steps: int, share: float, schedule: str):
    assert all(0 < rate <= 0.1 for rate in rates(steps=steps, warmup_share=share, schedule=schedule))
