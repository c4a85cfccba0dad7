"""What the jobs of a stage cost together."""

from types import SimpleNamespace

import pytest

from clairemap.operations.planned import Machine, PlannedJob
from clairemap.operations.stage_costs import costs_by_stage

JOBS = [PlannedJob("train_model", "", threads=8, gpus=2), *(PlannedJob("tile_scene", name, name) for name in "ab")]


def costs(**seconds: float | None) -> SimpleNamespace:
    return SimpleNamespace(seconds=lambda job: seconds[job.rule], source=lambda _: "demo")


@pytest.mark.parametrize(("machine", "core_s"), [(Machine("local", 4, 1), 40), (Machine("slurm", 4, 100), 80)])
def test_on_this_machine_a_job_has_at_most_all_cores(machine: Machine, core_s: float):
    train, tile = costs_by_stage(JOBS, costs(train_model=10.0, tile_scene=3.0))  # type: ignore[arg-type]
    assert (train.core_s(machine), train.gpu_s, train.unknown) == (core_s, 20, False)
    assert (tile.rule, len(tile.jobs), tile.core_s(machine), tile.gpu_s) == ("tile_scene", 2, 6, 0)


def test_an_unknown_time_makes_a_stage_unknown():
    train, tile = costs_by_stage(JOBS, costs(train_model=None, tile_scene=3.0))  # type: ignore[arg-type]
    assert train.unknown and not tile.unknown
