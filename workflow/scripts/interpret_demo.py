"""Simulate the answers of an interpreter for the demo's sample, and compute the true areas."""

import csv
import io
import logging
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from clairemap.artefacts.simulated_answers import SimulatedAnswers, write_simulated_answers
from clairemap.console import run
from clairemap.provenance import stamp, write_text_whole
from clairemap.raster.source import RasterSource
from clairemap.simulate.interpreter import cover_name, true_areas, true_cover, with_errors
from clairemap.simulate.region import LANDSCAPE_SEED

log = logging.getLogger("clairemap.interpret_demo")


def interpret_demo(
    *,
    sample: Annotated[Path, typer.Option(help="sample of the demo region as CSV, from draw_sample")],
    landcover: Annotated[Path, typer.Option(help="land-cover map of the demo region")],
    answers: Annotated[Path, typer.Option(help="interpreted sample to write (CSV)")],
    truth: Annotated[Path, typer.Option(help="number of wrong answers and true areas to write (JSON)")],
    seed: Annotated[int, typer.Option(min=0, help="random seed of the landscape; 0: that of the demo")] = 0,
) -> None:
    """Fill in the sample from the simulated landscape, with 3 % of the answers wrong on purpose."""
    seed += LANDSCAPE_SEED
    header, *rows = csv.reader(io.StringIO(sample.read_text(encoding="utf-8-sig"), newline=""))
    place = {name: header.index(name) for name in ("id", "map_x", "map_y", "reference")}
    x, y = (np.array([float(row[place[name]]) for row in rows]) for name in ("map_x", "map_y"))
    with RasterSource(landcover) as source:
        true = true_cover(x, y, str(source.geobox.crs), seed)
    given = with_errors([row[place["id"]] for row in rows], true, seed)
    for row, code in zip(rows, given.tolist(), strict=True):
        row[place["reference"]] = cover_name(code)
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    wrong = int((given != true).sum())
    areas = true_areas(landcover, seed)
    write_text_whole(answers, text.getvalue())
    write_simulated_answers(
        truth, SimulatedAnswers(units=len(rows), wrong=wrong, area_ha=areas, stamp=stamp("interpret_demo", str(seed)))
    )
    log.info("%s: %d units answered, %d of them wrong on purpose", answers, len(rows), wrong)


if __name__ == "__main__":
    run(interpret_demo)
