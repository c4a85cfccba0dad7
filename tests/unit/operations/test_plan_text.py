"""The text of `make plan`."""

import re

from clairemap.operations.plan_text import plan_text
from clairemap.operations.planned import Machine, PlannedJob, Reason

HERE = Machine("local", 4, 1, gpus=1)


class FixedCosts:
    """Estimates by rule; None: unknown."""

    def __init__(self, **seconds: float | None) -> None:
        self._seconds = seconds

    def seconds(self, job: PlannedJob) -> float | None:
        return self._seconds[job.rule]

    def source(self, job: PlannedJob) -> str:
        return "unknown" if self._seconds[job.rule] is None else "recorded"


def text(jobs: list[PlannedJob], machine: Machine = HERE, unrecorded: int = 0, **seconds: float | None) -> str:
    return plan_text(jobs, 7, unrecorded, FixedCosts(**seconds), machine)  # type: ignore[arg-type]


TRAIN = PlannedJob("train_model", "", threads=8, gpus=1, reasons=(Reason("setting", "training.steps: 600 -> 900"),))
PREDICT = [
    PlannedJob("predict_scene", name, name, gpus=1, needs=(0,), reasons=(Reason("after", "train_model"),))
    for name in ("west", "east")
]


def test_nothing_to_run():
    assert text([]) == "Nothing to run: the results of all 7 jobs are up to date."


def test_jobs_costs_run_time_and_reasons():
    said = text([TRAIN, *PREDICT], train_model=7200, predict_scene=1800)
    assert said.startswith("3 of 10 jobs would run.")
    assert "train_model       1           8          2" in said
    assert "predict_scene     2           1          1" in said
    assert "Run time: about 3 h with 4 core(s) and 1 GPU(s)." in said
    assert "setting changed: training.steps: 600 -> 900" in said
    assert "runs after: train_model" in said
    assert "train_model, predict_scene: from benchmarks of earlier jobs here" in said
    assert "make accept" not in said


def test_on_a_cluster_the_reserved_cores_count_and_the_queue_is_named():
    said = text([TRAIN], Machine("slurm", 1, 100, gpus=8), train_model=3600)
    assert "train_model     1           8          1" in said
    assert "with 100 jobs at a time, plus the time in the queue" in said


def test_unknown_costs_are_named():
    said = text([TRAIN, *PREDICT], train_model=None, predict_scene=1800)
    assert re.search(r"^train_model +1 +unknown +unknown$", said, re.M)
    assert "total without unknown" in said and "Run time: more than" in said
    assert "  train_model: unknown: not run here yet" in said


def test_jobs_and_files_of_a_reason_are_counted():
    newer = Reason("newer", "input files are newer than the result")
    jobs = [
        PlannedJob("tile_scene", str(i), str(i), reasons=(Reason(newer.kind, newer.text, (f"{i}.tif",)),))
        for i in range(5)
    ]
    jobs.append(PlannedJob("tile_scene", "new", "new", reasons=(Reason("missing", "no result yet"),)))
    said = text(jobs, tile_scene=1)
    assert "input files are newer than the result (5 of 6 jobs): 0.tif, 1.tif, 2.tif and 2 more" in said
    assert "missing: no result yet (1 of 6 jobs)" in said


def test_where_only_the_code_changed_accepting_is_named():
    job = PlannedJob("train_model", "", reasons=(Reason("code", "nets.rift.loss"),))
    assert "make accept STAGE=train_model" in text([job], train_model=1)


def test_accepting_is_not_offered_where_it_would_not_help():
    code, setting = Reason("code", "nets.rift.loss"), Reason("setting", "tiling.tile_px: 128 -> 256")
    jobs = [
        PlannedJob("tile_scene", "west", "west", reasons=(setting,)),
        PlannedJob("train_model", "", needs=(0,), reasons=(code, Reason("after", "tile_scene"))),
        PlannedJob("mosaic_region", "alps", region="alps", reasons=(code,)),
    ]
    assert "make accept" not in text(jobs, tile_scene=1, train_model=1, mosaic_region=1)


def test_results_without_records_are_named():
    assert "3 finished job(s) have no record" in text([], unrecorded=3)
