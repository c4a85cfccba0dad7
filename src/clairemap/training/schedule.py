"""Learning-rate schedules: one cycle (linear warm-up, cosine decay), or cosine decay only."""

import math

from clairemap.settings import TrainingSettings

START_SHARE = 1 / 25
"""Learning rate of the first step as a share of the peak (one_cycle)."""

END_SHARE = 1e-3
"""Learning rate at the end as a share of the peak."""


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a 0-based step.

    After Smith and Topin 2018 (one cycle) and Loshchilov and Hutter 2017 (cosine, without restarts).
    """
    peak = settings.learning_rate
    rising = round(settings.warmup_share * settings.steps) if settings.schedule == "one_cycle" else 0
    if step < rising:
        return peak * (START_SHARE + (1 - START_SHARE) * step / rising)
    done = (step - rising) / max(settings.steps - rising, 1)
    return peak * (END_SHARE + (1 - END_SHARE) * (1 + math.cos(math.pi * done)) / 2)
