"""Which regions have an interpreted sample when a run is planned."""

from collections.abc import Callable
from pathlib import Path

from clairemap.errors import SampleError, SettingsError
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


def interpreted_regions(plan: Plan, warn: Callable[[str], None]) -> list[str]:
    """Return the regions whose interpreted sample exists; none if the settings name no file.

    Regions without a file are reported, since regions are often interpreted one after another.

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
    missing = {region: str(accuracy.interpreted_of(region)) for region in regions}
    missing = {region: path for region, path in missing.items() if not Path(path).is_file()}
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
