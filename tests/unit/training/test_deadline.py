import pytest

from clairemap.training import deadline
from clairemap.training.deadline import Deadline


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: now[0])
    return now


def test_it_is_near_if_two_of_the_longest_rounds_could_exceed_the_budget(clock: list[float]):
    end = Deadline(minutes=1)
    answers = []
    for seconds in (10, 2, 2, 2, 20, 3):
        clock[0] += seconds
        answers.append(end.is_near())
    assert answers == [False, False, False, False, True, True]


def test_without_a_budget_it_is_never_near(clock: list[float]):
    end = Deadline(minutes=None)
    clock[0] += 1e9
    assert not end.is_near()
