"""Time limit that a training job requests for its time budget, `compute.training_minutes`."""

import math

_FACTOR, _MINUTES = 1.05, 10


def job_minutes(budget: float) -> int:
    """Return the time limit of a job, minutes, whose training stops after `budget` minutes."""
    return math.ceil(_FACTOR * budget) + _MINUTES


def largest_budget(limit: int) -> int:
    """Return the largest whole budget, minutes, whose job fits a time limit; 0 or less if none does."""
    return math.floor((limit - _MINUTES) / _FACTOR)
