from pathlib import Path
from types import SimpleNamespace

import pytest

from clairemap.attempts.records import ENDED, FOUND, STARTED, Cause, append
from clairemap.attempts.retries import without_permanent


def classes():
    """Return classes with the properties that Snakemake's jobs and groups have."""

    class Job:
        def __init__(self, *log: str) -> None:
            self.log = log
            self.rule = SimpleNamespace(name="tile_scene", restart_times=2)
            self.wildcards_dict = {"scene": "west"}
            self.attempt = 1

        @property
        def restart_times(self):
            return self.rule.restart_times

    class Group:
        def __init__(self, *jobs: Job) -> None:
            self.jobs = jobs

        @property
        def restart_times(self):
            return max(job.restart_times for job in self.jobs)

    return Job, Group


def failed(folder: Path, name: str, cause: Cause) -> str:
    log = folder / f"{name}.log"
    append(log, STARTED, {"id": "a", "run": "r"})
    append(log, ENDED, {"id": "a", "cause": cause, "exit_code": 1})
    return str(log)


def test_permanent_failures_are_not_retried(tmp_path: Path):
    job, group = classes()
    said: list[str] = []
    assert without_permanent(job, group, "r", said.append)
    bad, good = job(failed(tmp_path, "bad", Cause.ERROR)), job(failed(tmp_path, "good", Cause.FAILED))
    assert (bad.restart_times, job().restart_times) == (0, 2)
    assert group(good, bad).restart_times == 0
    assert not said
    assert (good.restart_times, group(good, job()).restart_times) == (2, 2)


def test_each_retry_is_explained_in_one_line(tmp_path: Path):
    job, group = classes()
    said: list[str] = []
    without_permanent(job, group, "r", said.append)
    done, good = job(failed(tmp_path, "done", Cause.DONE)), job(failed(tmp_path, "good", Cause.FAILED))
    assert (good.restart_times, group(good, done, job()).restart_times) == (2, 2)
    line = f"tile_scene west: exit code 1. It is run again (retry 1 of 2). Log: {tmp_path / 'good.log'}"
    assert said == [line, line]
    good.attempt = 3
    assert (good.restart_times, len(said)) == (2, 2)


def test_a_planned_stop_does_not_count_as_a_retry(tmp_path: Path):
    job, group = classes()
    without_permanent(job, group, "r", lambda _: None)
    stopped = job(failed(tmp_path, "stopped", Cause.TIME_BUDGET))
    assert (stopped.restart_times, group(stopped).restart_times) == (3, 3)
    stopped.rule.restart_times = 0
    assert stopped.restart_times == 0
    append(tmp_path / "stopped.log", FOUND, {"id": "a", "requeued": True})
    stopped.rule.restart_times = 2
    assert stopped.restart_times == 2


def test_each_planned_stop_adds_a_retry(tmp_path: Path):
    job, group = classes()
    without_permanent(job, group, "r", lambda _: None)
    stopped = job(failed(tmp_path, "stopped", Cause.TIME_BUDGET))
    append(tmp_path / "stopped.log", STARTED, {"id": "b", "run": "r"})
    append(tmp_path / "stopped.log", ENDED, {"id": "b", "cause": Cause.TIME_BUDGET})
    assert stopped.restart_times == 4


def test_snakemake_itself_has_what_is_replaced():
    from snakemake.jobs import GroupJob, Job

    assert isinstance(Job.restart_times, property) and isinstance(GroupJob.restart_times, property)


@pytest.mark.parametrize("missing", [0, 1])
def test_another_snakemake_keeps_its_retries_and_this_is_said(missing: int):
    given = list(classes())
    given[missing] = type("Job", (), {})
    said: list[str] = []
    assert not without_permanent(given[0], given[1], "r", said.append)
    assert len(said) == 1 and "restart_times" in said[0]
