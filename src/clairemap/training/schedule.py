"""The learning rate of each step: one cycle (up in a straight line, down along a cosine), or the cosine alone."""

import math

from clairemap.settings import TrainingSettings

START_SHARE = 1 / 25
"""The first step's learning rate as a share of the peak (one_cycle)."""

END_SHARE = 1e-3


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Return the learning rate of a step, counted from 0; a function of the step alone, so nothing has to be saved.

    After Smith and Topin 2018 (one cycle), with a straight rise, and Loshchilov and Hutter 2017 (cosine), without
    restarts.
    """
    peak = settings.learning_rate
    rising = round(settings.warmup_share * settings.steps) if settings.schedule == "one_cycle" else 0
    if step < rising:
        return peak * (START_SHARE + (1 - START_SHARE) * step / rising)
    done = (step - rising) / max(settings.steps - rising, 1)
    return peak * (END_SHARE + (1 - END_SHARE) * (1 + math.cos(math.pi * done)) / 2)
