"""Functions for the inputs of rules: files of several scenes, maps or regions.

Each job evaluates its own. Lists made while the Snakefile is loaded would cost each cluster job time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake.io import expand

from clairemap.operations.rule_values import with_parameters
from clairemap.outputs import MapFiles
from clairemap.plan import Plan
from clairemap.scenes import Scene

Pattern = str | Path
"""Path of a file with `{scene}`, `{view}`, `{region}` and `{map}`."""
Inputs = Callable[..., list[str]]
"""Function of a job's wildcards."""


@dataclass(frozen=True)
class RuleFiles:
    """Files of a run's scenes, maps and regions."""

    plan: Plan

    def of_scenes(
        self,
        pattern: Pattern,
        *views: str,
        chosen: Callable[[Scene], bool] = lambda scene: True,  # noqa: ARG005
    ) -> Inputs:
        """Return a function for a file of each chosen scene of the region or map, in each view."""

        def inputs(wildcards: Any) -> list[str]:  # noqa: ANN401 - Snakemake has no types
            scenes = self.plan.scenes_of(wildcards.region, wildcards.get("map"))
            return _expanded(pattern, scene=[scene.scene for scene in scenes if chosen(scene)], view=views)

        return with_parameters(inputs)

    def of_training(
        self, pattern: Pattern, names: Callable[[Plan], Iterable[str]] = lambda plan: plan.train_and_val
    ) -> Inputs:
        """Return a function for a file of each training and validation scene, or of the scenes that `names` returns."""
        return with_parameters(lambda wildcards: _expanded(pattern, scene=names(self.plan)))  # noqa: ARG005

    def of_audit(self, pattern: Pattern) -> Inputs:
        """Return a function for a file of each scene of the region's audit."""
        return with_parameters(
            lambda wildcards: _expanded(pattern, scene=[*self.plan.train_and_val, *self.plan.test_of(wildcards.region)])
        )

    def of_labelled_regions(self, pattern: Pattern) -> Inputs:
        """Return a function for a file of each region with labels."""
        return with_parameters(lambda wildcards: _expanded(pattern, region=self.plan.labelled_regions))  # noqa: ARG005

    def of_maps(self, pattern: Pattern) -> Inputs:
        """Return a function for a file of each map of the region."""
        return with_parameters(
            lambda wildcards: _expanded(pattern, region=[wildcards.region], map=self.plan.maps_of(wildcards.region))
        )

    def results(self, *of_map: Pattern) -> Inputs:
        """Return a function for report, figures and QGIS project of each region, and for these files of each map."""
        folder, sheet = self.plan.settings.results_dir, self.plan.sheet

        def inputs(wildcards: object) -> list[str]:  # noqa: ARG001
            of_regions = [f"{folder}/{{region}}/{name}" for name in ("report.html", "metrics.json", "{region}.qgs")]
            maps = [(region, name) for region in sheet.regions for name in self.plan.maps_of(region)]
            return [
                *(pattern.format(region=region) for region in sheet.regions for pattern in of_regions),
                *(str(pattern).format(region=region, map=name) for region, name in maps for pattern in of_map),
            ]

        return with_parameters(inputs)

    def earlier_maps(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the region's land-cover maps of an earlier run to compare with; none unless set."""
        folder = self.plan.settings.report.compare_with
        if folder is None:
            return []
        maps = self.plan.maps_of(wildcards.region)
        return [str(MapFiles(Path(folder) / wildcards.region / name).landcover) for name in maps]

    def accepted(self, wildcards: object = None) -> list[Path]:  # noqa: ARG002
        """Return the records of results that were kept in spite of a change of the code (`make accept`)."""
        return sorted(Path(self.plan.settings.work_dir, "accepted").glob("*.json"))


def _expanded(pattern: Pattern, **names: Iterable[str]) -> list[str]:
    files: list[str] = expand(pattern, **names)
    return files
