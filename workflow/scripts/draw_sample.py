"""Draw a random sample of a region's map for interpreters."""

import logging
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.accuracy.answers import Answer
from clairemap.accuracy.map_digest import map_digest
from clairemap.accuracy.redraw import check_unchanged, earlier_design
from clairemap.accuracy.sample_files import grid_of, kept_answers, write_sample
from clairemap.accuracy.sampling import SampleSize, sample_of
from clairemap.accuracy.strata import Buffer, Stratification
from clairemap.accuracy.zones import OUTSIDE_ZONES, Zones, read_zones
from clairemap.artefacts.metrics import RegionMetrics, read_metrics
from clairemap.artefacts.sample_design import SampleDesign, write_sample_design
from clairemap.console import run, warn
from clairemap.outputs import SampleFiles
from clairemap.provenance import file_digest, stamp, write_text_whole
from clairemap.raster.source import RasterSource
from clairemap.settings import AccuracySettings
from clairemap.stages import DrawSample
from clairemap.text import shortened

log = logging.getLogger("clairemap.draw_sample")


def draw_sample(
    *,
    region: Annotated[str, typer.Option(help="name of the region")],
    landcover: Annotated[Path, typer.Option(help="land-cover map of the region")],
    metrics: Annotated[Path, typer.Option(help="metrics.json: accuracies on labelled test pixels, for the size")],
    results: Annotated[Path, typer.Option(help="folder of results: the sample is written to REGION in it")],
    work: Annotated[Path, typer.Option(help="work folder: the design is written to samples in it")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.DrawSample)")],
) -> None:
    """Write the sample as CSV and GeoPackage, and its design. Answers in an earlier version of the files are kept.

    Raises:
        SampleError: the map cannot be sampled so, or answers would be lost.
    """
    started = time.monotonic()
    stage = DrawSample.from_json(settings)
    files = SampleFiles(results, work, region)
    places = [files.table, files.geopackage, files.design, files.published_design]
    design = earlier_design([files.design, files.published_design])
    if design is not None and _has_changed(landcover, design):
        check_unchanged(design, stage.accuracy, places)
        warn(f"{landcover}: has changed since the sample was drawn; the sample stays as it is (docs/areas.md)")
    else:
        design = _drawn(landcover, stage, read_metrics(metrics), stamp("draw_sample", settings))
    answers = _kept(files, design, stage.accuracy)
    write_sample(files.table, files.geopackage, design.units, grid_of(design), answers)
    write_sample_design(files.design, design)
    write_text_whole(files.drawn, f"{file_digest(files.design)}\n")
    _log(files, design, len(answers), time.monotonic() - started)


def _has_changed(landcover: Path, design: SampleDesign) -> bool:
    with RasterSource(landcover) as source:
        return map_digest(source) != design.map_sha256


def _drawn(landcover: Path, stage: DrawSample, metrics: RegionMetrics, stamp: dict[str, str]) -> SampleDesign:
    chosen, legend = stage.accuracy, stage.legend
    buffer = Buffer(legend.names.index(chosen.buffer.around), chosen.buffer.px) if chosen.buffer else None
    share = chosen.buffer.share if chosen.buffer else 0
    of_class = legend.names.index(chosen.half_width_class) if chosen.half_width_class else None
    zones = _zones(landcover, chosen)
    names = (*zones.names, OUTSIDE_ZONES) if zones else ()
    return sample_of(
        landcover,
        Stratification(legend, buffer, names),
        SampleSize(chosen.units, chosen.half_width, _expected(metrics, chosen), chosen.per_stratum, of_class, share),
        seed=chosen.seed,
        distance_px=chosen.distance_px,
        stamp=stamp,
        zone_of=zones.strata_of_pixels if zones else None,
    )


def _zones(landcover: Path, chosen: AccuracySettings) -> Zones | None:
    if not (chosen.strata_by_zone and chosen.zones and chosen.zone_field):
        return None
    with RasterSource(landcover) as source:
        zones = read_zones(Path(chosen.zones), chosen.zone_field, source.geobox)
    for remark in zones.remarks:
        warn(remark)
    return zones


def _kept(files: SampleFiles, design: SampleDesign, chosen: AccuracySettings) -> dict[str, Answer]:
    """Return the answers in the interpreted file and in the sample's own files."""
    interpreted = chosen.interpreted_of(files.region)
    named = {Path(interpreted): chosen.columns} if interpreted else {}
    return kept_answers([*dict.fromkeys([*named, files.table, files.geopackage])], design, named)


def _expected(metrics: RegionMetrics, chosen: AccuracySettings) -> np.ndarray:
    """Return the expected user's accuracy of each class: that on test pixels, else that of the settings."""
    measured = {row.code: row for row in metrics.per_class} if metrics.split == "test" else {}
    return np.array(
        [
            chosen.expected_accuracy
            if row.users_accuracy is None or row.too_few or row.code not in measured
            else row.users_accuracy
            for row in metrics.per_class
        ]
    )


def _log(files: SampleFiles, design: SampleDesign, answers: int, seconds: float) -> None:
    strata = ", ".join(f"{each.name} {each.units} of {each.pixels} px" for each in design.strata if each.pixels)
    log.info("%s: %d units (%s), %.1f s", files.geopackage, len(design.units), strata, seconds)
    for each in design.strata:
        if 0 < each.pixels <= each.units:
            log.warning("stratum %s has only %d pixels: all of them are in the sample", each.name, each.pixels)
    if empty := [each.name for each in design.strata if not each.pixels]:
        log.warning("no pixel on the map: %s. Omissions of a class are found in other strata", shortened(empty, 20))
    if answers:
        log.info("%d answers were kept", answers)


if __name__ == "__main__":
    run(draw_sample)
