"""What a dry run keeps of Snakemake's messages, and the machine that it plans for."""

import logging
from types import SimpleNamespace

import pytest

from clairemap.operations import dry_run
from clairemap.operations.planned import Machine


def test_warnings_are_kept_and_of_a_traceback_only_its_last_line(capsys: pytest.CaptureFixture[str]):
    logger = logging.getLogger("snakemake")
    with dry_run._messages() as messages:
        print("Building DAG of jobs...")  # noqa: T201 - as Snakemake does
        logger.info("planned")
        logger.warning(" sheet.csv: old ")
        logger.error("Traceback (most recent call last):\n  File\nKeyError: 'x'")
        logger.error("")
    logger.warning("later")
    assert messages == ["sheet.csv: old", "KeyError: 'x'"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"executor": "slurm", "jobs": 100, "resources": {"gpu": 8}}, Machine("slurm", 2, 100, 8)),
        ({"executor": "dryrun", "cores": 4}, Machine("local", 4, 2, None)),
        ({"jobs": 4}, Machine("local", 4, 4, None)),
        ({"cores": "all"}, Machine("local", 2, 2, None)),
    ],
)
def test_the_machine_is_that_of_the_options(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, object], expected: Machine
):
    monkeypatch.setattr(dry_run.os, "sched_getaffinity", lambda _: {0, 1})
    options = {"executor": None, "cores": None, "jobs": None, "resources": None}
    assert dry_run._machine(SimpleNamespace(**{**options, **given})) == expected
