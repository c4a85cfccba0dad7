"""The time limit of a training run."""

import math
import time


class Deadline:
    """The end of a time limit in minutes that starts at construction; None is unlimited."""

    def __init__(self, minutes: float | None) -> None:
        self._end = math.inf if minutes is None else time.monotonic() + 60 * minutes
        self._longest = 0.0
        self._round_start = time.monotonic()

    def is_near(self) -> bool:
        """Return whether two more rounds of the longest duration so far could exceed the limit; call once a round."""
        now = time.monotonic()
        self._longest = max(self._longest, now - self._round_start)
        self._round_start = now
        return now + 2 * self._longest > self._end
