import pytest

from clairemap.time_budget import job_minutes, largest_budget


@pytest.mark.parametrize(("limit", "budget"), [(60, 47), (240, 219), (1440, 1361), (11, 0), (5, -5)])
def test_the_largest_budget_fits_the_limit_and_one_more_minute_does_not(limit: int, budget: int):
    assert largest_budget(limit) == budget
    assert job_minutes(budget) <= limit < job_minutes(budget + 1)
