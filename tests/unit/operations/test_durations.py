"""Durations and amounts as text."""

import pytest

from clairemap.operations.durations import duration, hours


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.2, "1 s"),
        (59, "59 s"),
        (300, "5 min"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_duration(seconds: float, text: str):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0"), (1, "<0.001"), (36, "0.01"), (5400, "1.5"), (360_000, "100"), (4e7, "11,111")]
)
def test_hours(seconds: float, text: str):
    assert hours(seconds) == text
