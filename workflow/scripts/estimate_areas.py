"""Estimate accuracy and areas of a region's map from its interpreted sample."""

import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.accuracy.answers import read_answers
from clairemap.accuracy.interpretation import UNANSWERED, interpreted
from clairemap.accuracy.map_digest import map_digest
from clairemap.accuracy.redraw import DRAW_AGAIN
from clairemap.accuracy.region_estimates import M2_PER_HA, AssessedMap, region_estimates
from clairemap.accuracy.sample_files import grid_of
from clairemap.accuracy.sampling import codes_of_units
from clairemap.accuracy.zone_areas import ZoneCounts, counted_by_zone, zones_of_units
from clairemap.accuracy.zones import read_zones
from clairemap.artefacts.estimates import AreaEstimates, write_estimates
from clairemap.artefacts.sample_design import SampleDesign, read_sample_design, write_sample_design
from clairemap.console import run
from clairemap.errors import SampleError
from clairemap.metrics.class_areas import map_class_areas
from clairemap.outputs import SampleFiles
from clairemap.provenance import stamp
from clairemap.raster.source import RasterSource
from clairemap.stages import EstimateAreas

log = logging.getLogger("clairemap.estimate_areas")


def estimate_areas(
    *,
    region: Annotated[str, typer.Option(help="name of the region")],
    answers: Annotated[Path, typer.Option(help="file with the interpreted sample")],
    landcover: Annotated[Path, typer.Option(help="land-cover map of the region")],
    results: Annotated[Path, typer.Option(help="folder of results: estimates are written to REGION in it")],
    work: Annotated[Path, typer.Option(help="work folder: the design of the sample is in samples in it")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.EstimateAreas)")],
) -> None:
    """Write the estimates as JSON and CSV, and a copy of the design.

    Raises:
        SampleError: the answers do not belong to the sample, or are too few; or the map is not on the sample's grid.
        StoreError: the design is missing or damaged.
    """
    stage = EstimateAreas.from_json(settings)
    files = SampleFiles(results, work, region)
    drawn = read_sample_design(files.design)
    found = region_estimates(
        region,
        drawn,
        interpreted(answers, read_answers(answers, stage.accuracy.columns), drawn, stage.legend),
        _assessed(landcover, drawn, stage),
        stage.legend,
        stamp("estimate_areas", settings),
    )
    write_sample_design(files.published_design, drawn)
    write_estimates(files.estimates, files.estimates_table, found)
    _log(found)


def _assessed(landcover: Path, design: SampleDesign, stage: EstimateAreas) -> AssessedMap:
    """Return the map's classes at the units of the design, and its areas."""
    legend = stage.legend
    with RasterSource(landcover) as source:
        grid = source.shape, tuple(source.geobox.transform)[:6]
        if grid != ((design.height, design.width), design.transform):
            raise SampleError(
                f"{landcover}: its grid of {source.shape[0]} x {source.shape[1]} px is not that of the map from which "
                f"the sample was drawn ({design.height} x {design.width} px); {DRAW_AGAIN}"
            )
        codes = codes_of_units(source, design.units)
        digest = map_digest(source)
    index_of = np.full(256, UNANSWERED, np.intp)
    index_of[legend.codes] = np.arange(len(legend))
    areas = map_class_areas(landcover, legend)
    if areas.m2 is None:
        raise SampleError(f"{landcover}: the area of its pixels is {areas.method}")
    return AssessedMap(digest, index_of[codes], areas.m2, _zones(landcover, design, stage))


def _zones(landcover: Path, design: SampleDesign, stage: EstimateAreas) -> ZoneCounts | None:
    if not (stage.accuracy.zones and stage.accuracy.zone_field):
        return None
    zones = read_zones(Path(stage.accuracy.zones), stage.accuracy.zone_field, grid_of(design))
    areas = counted_by_zone(landcover, zones, stage.legend) / M2_PER_HA
    return ZoneCounts(zones.names, zones_of_units(zones, design.units), areas, zones.remarks)


def _log(found: AreaEstimates) -> None:
    for caution in found.cautions:
        log.warning("%s: %s", found.region, caution)
    log.info(
        "%s: overall accuracy %.1f %% (%.1f to %.1f), %d units",
        found.region,
        *(100 * value for value in (found.overall.value, found.overall.low, found.overall.high)),
        found.answered,
    )
    for row in found.classes:
        note = "; counted pixels are misleading" if row.misleading else ""
        log.info(
            "%s: %.1f ha (%.1f to %.1f), counted %.1f ha%s",
            row.name,
            row.area_ha.value,
            row.area_ha.low,
            row.area_ha.high,
            row.counted_ha,
            note,
        )


if __name__ == "__main__":
    run(estimate_areas)
