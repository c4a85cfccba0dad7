"""Functions for the inputs and params of rules: files behind the cells of a scene.

Each job evaluates its own: no file is opened while the Snakefile is loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clairemap.jobs import options
from clairemap.operations.rule_values import with_parameters
from clairemap.operations.source_files import SourceFiles
from clairemap.plan import Plan
from clairemap.scenes import Scene

Words = Callable[..., list[str]]
"""Function of a job's wildcards."""


@dataclass(frozen=True)
class RuleSources:
    """Source files of a run's scenes. Snakemake tracks their content (`contents`), not paths and dates."""

    plan: Plan
    sources: SourceFiles

    def made(self, *roles: str) -> Words:
        """Return a function for the scene's simulated files: the only source files that are inputs."""
        return with_parameters(lambda wildcards: self.sources.made(wildcards.scene, *roles))

    def contents(self, *roles: str) -> Words:
        """Return a function for the identities of the files of the scene's rasters."""
        return with_parameters(lambda wildcards: self.sources.contents(wildcards.scene, *roles))

    def has_polygons(self, scene: Scene) -> bool:
        """Whether a scene's labels are polygons."""
        return self.sources.has_polygons(scene.scene)

    def burnt(self, pattern: str | Path) -> Words:
        """Return a function for a file of burn_labels; none if the scene's labels are not polygons."""
        return with_parameters(
            lambda wildcards: (
                [str(pattern).format(scene=wildcards.scene)] if self.sources.has_polygons(wildcards.scene) else []
            )
        )

    def resolved(self) -> Words:
        """Return a function for the record of resolve_scene; none if the scene's cells are single rasters."""
        return with_parameters(lambda wildcards: self.sources.sources(wildcards.scene))

    def of_resolved_scenes(self) -> Words:
        """Return a function for those records of the scenes of the region or map."""

        def inputs(wildcards: Any) -> list[str]:  # noqa: ANN401 - Snakemake has no types
            scenes = self.plan.scenes_of(wildcards.region, wildcards.get("map"))
            return [path for scene in scenes for path in self.sources.sources(scene.scene)]

        return with_parameters(inputs)

    def record(self) -> Callable[..., Path]:
        """Return a function for the file in which a stage records what it has read, untracked."""
        return with_parameters(lambda wildcards, output: self.sources.record(wildcards.scene))  # noqa: ARG005

    def cells(self, *roles: str) -> Words:
        """Return a function for `--role cell` for each cell of the scene, including missing files; untracked."""
        return with_parameters(lambda wildcards, output: self.sources.options(wildcards.scene, *roles))  # noqa: ARG005

    def source_options(self, *roles: str) -> Words:
        """Return a function as `cells`, with `--sources` if the scene has a record; untracked."""
        return with_parameters(
            lambda wildcards, output: [  # noqa: ARG005
                *self.sources.options(wildcards.scene, *roles),
                *options({"sources": self.sources.sources(wildcards.scene)}),
            ]
        )
