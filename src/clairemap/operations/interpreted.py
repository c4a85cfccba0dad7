"""Inputs of the rules of samples, and which regions have an interpreted sample when a run is planned."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clairemap.console import fail
from clairemap.errors import ClairemapError, SampleError, SettingsError
from clairemap.outputs import MapFiles, SampleFiles
from clairemap.plan import Plan
from clairemap.settings.accuracy import REGION
from clairemap.text import shortened

SHOWN = 5


def check_can_be_sampled(plan: Plan) -> None:
    """Check that regions have one map each, from which a sample can be drawn.

    Raises:
        SettingsError: each scene has its own map.
    """
    if plan.settings.mosaic.grid != "region":
        raise SettingsError(
            f"mosaic.grid is {plan.settings.mosaic.grid!r}: a sample is drawn from one map for each region; set "
            "mosaic.grid to region"
        )


def has_answers(plan: Plan, region: str, made: Collection[str] = ()) -> bool:
    """Return whether the interpreted sample of a region exists, or is one of the files that a rule makes."""
    path = plan.settings.accuracy.interpreted_of(region)
    return path is not None and (path in made or Path(path).is_file())


def interpreted_regions(plan: Plan, warn: Callable[[str], None], made: Collection[str] = ()) -> list[str]:
    """Return the regions whose interpreted sample exists; none if the settings name no file.

    Regions without a file are reported, since regions are often interpreted one after another.

    Args:
        plan: plan of the run.
        warn: prints a warning.
        made: interpreted samples that a rule makes.

    Raises:
        SampleError: no region has a file, or one file is named for several regions.
    """
    accuracy, regions = plan.settings.accuracy, plan.sheet.regions
    if not accuracy.interpreted:
        return []
    if REGION not in accuracy.interpreted and len(regions) > 1:
        raise SampleError(
            f"accuracy.interpreted is {accuracy.interpreted!r}, one file for {len(regions)} regions "
            f"({shortened(regions, SHOWN)}); each has its own sample: use {REGION} in the path"
        )
    missing = {
        region: str(accuracy.interpreted_of(region)) for region in regions if not has_answers(plan, region, made)
    }
    if not missing:
        return list(regions)
    first = next(iter(missing))
    sample = f"{plan.settings.results_dir}/{first}/{first}.sample.gpkg"
    text = (
        f"accuracy.interpreted: {shortened(list(missing.values()), SHOWN)} does not exist. Draw samples (snakemake "
        f"--cores 2 draw_samples), fill in {sample} or the CSV beside it, and save it there (docs/areas.md)"
    )
    if len(missing) == len(regions):
        raise SampleError(f"{text}, or set accuracy.interpreted to null")
    warn(f"{text}. No estimates for {shortened(list(missing), SHOWN)}")
    return [region for region in regions if region not in missing]


@dataclass(frozen=True)
class SampleInputs:
    """Input functions of the rules of samples. Errors end the planning with their exit code.

    `simulated` are interpreted samples that a rule makes, with their files of true areas.
    """

    plan: Plan
    warn: Callable[[str], None]
    simulated: Mapping[str, str] = field(default_factory=dict)

    def landcover(self, wildcards: Any) -> str:  # noqa: ANN401 - Snakemake has no types
        """Return the land-cover map of the region."""
        try:
            check_can_be_sampled(self.plan)
            self.plan.scenes_of(wildcards.region)
        except ClairemapError as error:
            fail(error)
        folder = Path(self.plan.settings.results_dir) / wildcards.region
        return str(MapFiles(folder / wildcards.region).landcover)

    def answers(self, wildcards: Any) -> str:  # noqa: ANN401
        """Return the interpreted sample of the region."""
        path = self.plan.settings.accuracy.interpreted_of(wildcards.region)
        if path is None:
            fail(SettingsError("accuracy.interpreted is null: set it to the interpreted sample (docs/areas.md)"))
        return str(path)

    def zones(self, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return the file of zones, if there is one."""
        zones = self.plan.settings.accuracy.zones
        return [zones] if zones else []

    def strata_zones(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the file of zones, if they are strata."""
        return self.zones(wildcards) if self.plan.settings.accuracy.strata_by_zone else []

    def samples(self, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return the sample of each region."""
        return [str(self._files(region).drawn) for region in self.plan.sheet.regions]

    def estimates(self, wildcards: Any) -> list[str]:  # noqa: ANN401, ARG002
        """Return estimates and sample of each region whose interpreted sample exists.

        The sample is requested too, since Snakemake does not make a missing file again if only finished files need it:
        a second run after a failed `draw_sample` would end well.
        """
        try:
            regions = interpreted_regions(self.plan, self.warn, self.simulated)
        except ClairemapError as error:
            fail(error)
        return [str(path) for name in regions for path in (self._files(name).estimates, self._files(name).drawn)]

    def estimated(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the estimates of the region; none without an interpreted sample."""
        region = wildcards.region
        return [str(self._files(region).estimates)] if has_answers(self.plan, region, self.simulated) else []

    def estimated_from(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the interpreted sample behind the region's estimates; none without one."""
        return [self.answers(wildcards)] if self.estimated(wildcards) else []

    def estimated_design(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the design beside the region's estimates; none without an interpreted sample."""
        return [str(self._files(wildcards.region).published_design)] if self.estimated(wildcards) else []

    def estimated_sample(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the GeoPackage of the region's sample, which may be gone; none without an interpreted sample."""
        return [str(self._files(wildcards.region).geopackage)] if self.estimated(wildcards) else []

    def truth(self, wildcards: Any) -> list[str]:  # noqa: ANN401
        """Return the true areas and number of wrong answers of the region, if its answers are simulated."""
        answers = self.plan.settings.accuracy.interpreted_of(wildcards.region)
        truth = None if answers is None else self.simulated.get(answers)
        return [] if truth is None else [truth]

    def _files(self, region: str) -> SampleFiles:
        settings = self.plan.settings
        return SampleFiles(Path(settings.results_dir), Path(settings.work_dir), region)
