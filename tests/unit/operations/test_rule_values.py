from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.common import get_function_params

from clairemap import stages
from clairemap.operations.rule_values import RuleValues, untracked, with_parameters
from clairemap.provenance import stage_code
from clairemap.settings import load_settings

PROJECT = Path(__file__).parents[3]


def values(given: dict[str, Any] | None = None, nodes: int | None = 100) -> RuleValues:
    resources = SimpleNamespace(overwrite_resources={"tile_scene": given or {}}, nodes=nodes)
    workflow = SimpleNamespace(basedir=str(PROJECT), resource_settings=resources)
    return RuleValues(workflow, load_settings({}))


def test_snakemake_reads_the_stored_parameters():
    function = with_parameters(lambda wildcards, output: (wildcards, output))
    assert function(1, 2) == (1, 2) and list(get_function_params(function)) == ["wildcards", "output"]
    assert list(get_function_params(untracked(2))) == ["wildcards", "output"]


@pytest.mark.parametrize(
    ("given", "alone", "group"),
    [
        ({}, False, "prepare"),
        ({"mem_mb": 1, "runtime": 2, "disk_mb": 3}, False, "prepare"),
        ({"slurm_partition": "cpu"}, False, None),
        ({}, 1, None),
        ({}, "phi", None),
    ],
)
def test_a_rule_with_a_text_of_its_own_or_a_gpu_is_alone(given: dict[str, Any], alone: object, group: str | None):
    assert values(given).group("prepare", "tile_scene", alone) == group


def test_on_one_machine_there_are_no_groups():
    assert values(nodes=None).group("prepare", "tile_scene") is None


def test_code_and_script_are_those_of_the_rule():
    script = PROJECT / "workflow" / "scripts" / "tile_scene.py"
    assert values().script("tile_scene")(None, None) == str(script)
    assert values().code("tile_scene") == stage_code(script) != values().code("register_pair")


def test_all_settings_are_passed_and_those_that_matter_are_tracked():
    passed, relevant = values().passed(stages.TrainModel), values().relevant(stages.TrainModel)
    assert "checkpoint_every" in str(passed(None, None)) and "checkpoint_every" not in relevant(None)
    assert list(get_function_params(relevant)) == ["wildcards"]
