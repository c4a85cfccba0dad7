"""Jobs of Snakemake as plain values."""

from types import SimpleNamespace
from typing import Any

import pytest

from clairemap.operations.snakemake_jobs import planned_jobs, waiting_jobs


class Job(SimpleNamespace):
    """What is read of a job of Snakemake."""

    __hash__ = object.__hash__


def job(rule: str, scene: str = "", *outputs: str, norun: bool = False, **resources: object) -> Job:
    return Job(
        rule=SimpleNamespace(name=rule, norun=norun),
        wildcards_dict={"scene": scene} if scene else {},
        threads=2,
        resources=resources,
        output=outputs,
        log=[],
        benchmark=None,
    )


def graph(*levels: list[Any], needed: list[Any], **dependencies: Any) -> SimpleNamespace:
    return SimpleNamespace(toposorted=lambda: levels, needrun_jobs=lambda: needed, dependencies=dependencies)


def test_jobs_that_run_are_in_the_order_of_needs_and_names():
    east, west, done, train = job("tile_scene", "east"), job("tile_scene", "west"), job("a"), job("a_training")
    everything = job("all", norun=True)
    dag = graph([west, done, east], [train], [everything], needed=[everything, train, east, west])
    assert waiting_jobs(dag) == [east, west, train]


def test_needs_are_positions_and_the_last_output_is_a_file():
    made = job("tile_scene", "west", "pair.json", "pair.zarr", "tiles.parquet")
    later = job("train_model")
    dag = SimpleNamespace(dependencies={made: {job("earlier"): ()}, later: {made: ()}})
    first, second = planned_jobs(dag, [made, later], {})
    assert (first.label, first.scene, first.needs, second.needs) == ("tile_scene west", "west", (), (0,))
    assert first.outputs == ("pair.zarr", "pair.json", "tiles.parquet")


@pytest.mark.parametrize(
    ("resources", "gpus"),
    [
        ({}, 0),
        ({"gpu": 4}, 4),
        ({"gpu": 0, "gres": "gpu:4", "nodes": 2}, 8),
        ({"gres": "gpu:a100:2,lustre:1"}, 2),
        ({"gres": "lustre:1"}, 0),
        ({"gpu": 0, "gres": None, "nodes": None}, 0),
    ],
)
def test_gpus_of_all_nodes_count(resources: dict[str, object], gpus: int):
    one = job("train_model", **resources)
    assert planned_jobs(SimpleNamespace(dependencies={one: {}}), [one], {})[0].gpus == gpus
