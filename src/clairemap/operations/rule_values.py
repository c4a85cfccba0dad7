"""Functions for the directives of rules: values that Snakemake tracks or not, code, groups."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from snakemake.common import overwrite_function_params

from clairemap import stages
from clairemap.jobs import options
from clairemap.provenance import stage_code
from clairemap.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])

SHARED_RESOURCES = frozenset({"mem_mb", "disk_mb", "runtime"})
"""Resources whose values Snakemake adds up in a group of jobs; texts, such as partitions, must be equal."""


def with_parameters(function: Function) -> Function:
    """Return the function with stored parameters: Snakemake otherwise inspects it several times for each job."""
    # The parameters with their kinds, not only names: Snakemake reads both.
    overwrite_function_params(function, inspect.signature(function).parameters)
    return function


def remember_parameters(method: Callable[..., Any]) -> None:
    """Store the parameters of a method of Snakemake's class, which it otherwise inspects for each call."""
    _itself, *others = inspect.signature(method).parameters.values()
    overwrite_function_params(method, {parameter.name: parameter for parameter in others})


def is_submitted(workflow: Any) -> bool:  # noqa: ANN401 - Snakemake has no types
    """Whether this process submits jobs to a cluster, or plans that."""
    return workflow.resource_settings.nodes is not None  # set for other executors than the local one


def untracked(value: object) -> Callable[..., object]:
    """Return a function for a value that changes no result: Snakemake does not track params that depend on outputs."""
    return with_parameters(lambda wildcards, output: value)  # noqa: ARG005 - the names tell Snakemake what it depends on


def each(*names: str) -> Callable[..., list[str]]:
    """Return a function for `--name path` for each file of the named inputs."""
    return with_parameters(
        lambda wildcards, input: options({name: input.get(name, []) for name in names})  # noqa: A002, ARG005
    )


@dataclass(frozen=True)
class RuleValues:
    """Values of the rules of a run, by name of the rule or by the settings of its stage."""

    workflow: Any
    settings: Settings

    def code(self, rule: str) -> str:
        """Return the hash of a rule's code: an edit reruns only the rules that use it."""
        return stage_code(self._script(rule))

    def script(self, rule: str) -> Callable[..., object]:
        """Return a function for the path of a rule's script, untracked; `code` tracks its content."""
        return untracked(str(self._script(rule)))

    def passed(self, stage: type[stages.StageSettings]) -> Callable[..., object]:
        """Return a function for all settings of a stage as JSON, untracked; `relevant` tracks those that matter."""
        return untracked(stages.stage_json(self.settings, stage))

    def relevant(self, stage: type[stages.StageSettings]) -> Callable[..., str]:
        """Return a function for the settings that can change results. In a text, braces would be wildcards."""
        text = stages.relevant_json(self.settings, stage)
        return with_parameters(lambda wildcards: text)  # noqa: ARG005

    def group(self, name: str, rule: str, alone: object = False) -> str | None:
        """Return the group of a rule: on a cluster, the jobs of a scene in one group are one job.

        None: the rule's jobs are alone, as wanted (`alone`: a GPU or a language model, which the group would hold
        while its other jobs use the CPU), or because the profile gives the rule a partition or another text. On one
        machine Snakemake ignores groups, but finding them takes a tenth of the planning.
        """
        if not is_submitted(self.workflow):
            return None
        given = set(self.workflow.resource_settings.overwrite_resources.get(rule, ()))
        return None if alone or given - SHARED_RESOURCES else name

    def log(self, rule: str, wildcards: Any) -> Path:  # noqa: ANN401 - Snakemake has no types
        """Return the log of a job."""
        return Path(str(self.workflow.get_rule(rule).log[0]).format(**wildcards))

    def _script(self, rule: str) -> Path:
        return Path(self.workflow.basedir) / "workflow" / "scripts" / f"{rule}.py"
