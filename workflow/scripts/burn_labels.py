"""Burn a scene's polygons into a label raster on its grid."""

import logging
import time
from pathlib import Path
from typing import Annotated

import typer
from odc.geo.geobox import GeoBox

from clairemap.artefacts.label_counts import write_label_counts
from clairemap.console import run, warn
from clairemap.errors import GridError
from clairemap.labels.burn import scratch_canvas, write_codes
from clairemap.labels.checks import burner_of, check_tally
from clairemap.labels.counts import counts_of, remarks, summary
from clairemap.labels.vector_files import open_layer
from clairemap.provenance import stamp
from clairemap.raster.identity import remembered
from clairemap.raster.source import RasterSource
from clairemap.sources.opened import SceneRasters
from clairemap.stages import BurnLabels

log = logging.getLogger("clairemap.burn_labels")


def burn_labels(
    *,
    scene: Annotated[str, typer.Option(help="name of the scene")],
    polygons: Annotated[Path, typer.Option(help="vector file with polygons")],
    label: Annotated[Path, typer.Option(help="label.tif to write: class codes of the map")],
    counts: Annotated[Path, typer.Option(help="label.json to write: counts of features and pixels; written last")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON: sections legend and labels")],
    optical: Annotated[str | None, typer.Option(help="optical raster")] = None,
    sar: Annotated[str | None, typer.Option(help="SAR raster")] = None,
    sources: Annotated[Path | None, typer.Option(help="sources.json, if cells are not single rasters")] = None,
    record: Annotated[Path | None, typer.Option(help="label_sources.json to update: what was read")] = None,
    threads: Annotated[int, typer.Option(help="number of threads", min=1)] = 1,
) -> None:
    """Write the label raster of a scene and its counts.

    Memory: a few batches of features; on disk, one byte per pixel of the scene while the stage runs.
    """
    started = time.monotonic()
    sections = BurnLabels.from_json(settings)
    made_by = stamp("burn_labels", settings)
    with remembered({"polygons": polygons}, record):
        grid = scene_grid(SceneRasters({"optical": optical, "sar": sar}, sources))
        layer = open_layer(polygons, sections.labels.layer)
        burner = burner_of(layer, grid, sections.legend, sections.labels, threads)
        with scratch_canvas(label, grid) as canvas:
            tally = burner.burn(canvas)
            check_tally(burner, tally)
            written = write_codes(label, canvas, grid, sections.legend.as_mapped, made_by)
    found = counts_of(scene, burner, tally, written, sections.legend, made_by)
    write_label_counts(counts, found)
    for remark in remarks(found):
        warn(f"{scene}: {polygons.name}: {remark}")
    log.info("%s: %s; %.1f s", scene, summary(found), time.monotonic() - started)


def scene_grid(rasters: SceneRasters) -> GeoBox:
    """Return the grid of a scene: that of its optical raster, or of SAR without optical."""
    raster = rasters.raster("optical") or rasters.raster("sar")
    if raster is None:
        raise GridError("the scene has neither an optical nor a SAR raster; name one in the sample sheet")
    with RasterSource(raster) as source:
        return source.geobox


if __name__ == "__main__":
    run(burn_labels)
