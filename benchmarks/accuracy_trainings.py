"""Trainings of the accuracy benchmark: each is a process of `accuracy_runs.py`; finished ones are not repeated."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from accuracy_counts import Counts
from accuracy_places import Fold
from accuracy_runs import CODE, PROJECT, Task

from clairemap.console import progress
from clairemap.jobs import NETWORK_ENVIRONMENT
from clairemap.provenance import file_digest, json_digest


class Trainings:
    """Runs trainings in parallel, one core each, and sums the hours of all results in use."""

    def __init__(self, work: Path, jobs: int) -> None:
        self.hours = 0.0
        self._work = work
        self._jobs = jobs

    def results(self, tasks: Iterable[Task]) -> list[Counts]:
        """Return the results in order; trainings without one are run.

        Raises:
            SystemExit: a training failed. Those that run are completed, the others are not started.
        """
        waiting = list(tasks)
        with ThreadPoolExecutor(self._jobs) as pool:
            found = list(progress(pool.map(self._result, waiting), "trainings", len(waiting)))
        self.hours += sum(counts.about["training_s"] + counts.about["scoring_s"] for counts in found) / 3600
        return found

    def _result(self, task: Task) -> Counts:
        name = f"{task.fold.name.replace(' ', '_')}-{task.seed}-{task.digest}-{data_digest(self._work, task.fold)}.npz"
        path = self._work / "results" / CODE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            self._run(task, path)
        return Counts.read(path)

    def _run(self, task: Task, path: Path) -> None:
        text, log = json.dumps(asdict(task)), path.with_suffix(".log")
        command = [sys.executable, str(PROJECT / "benchmarks" / "accuracy_runs.py"), "--task", text]
        with log.open("w") as file:
            file.write(f"{text}\n")
            file.flush()
            outcome = subprocess.run(
                [*command, "--work", self._work, "--result", path],
                env={**os.environ, **_environment()},
                check=False,
                stdout=file,
                stderr=file,
            )
        if outcome.returncode:
            raise SystemExit(f"{task.fold.name}, {dict(task.changes)} failed; see {log}")


def data_digest(work: Path, fold: Fold) -> str:
    """Return a hash of the scenes of a fold."""
    scenes = work / fold.prepared / "work" / "scenes"
    return json_digest([file_digest(scenes / name / "pair.json") for name in (*fold.train, *fold.test)])


def _environment() -> dict[str, str]:
    """Return the variables of a training: those of `train_model`, on one core."""
    return {"OMP_NUM_THREADS": "1", **dict(variable.split("=") for variable in NETWORK_ENVIRONMENT.split())}
