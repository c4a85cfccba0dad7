"""Write the report page of a region."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from clairemap.accuracy.answers import read_answers
from clairemap.accuracy.interpretation import UNANSWERED, interpreted
from clairemap.accuracy.sampling import codes_of_units
from clairemap.artefacts.explanations import Explanation, read_explanations
from clairemap.artefacts.sample_design import read_sample_design
from clairemap.artefacts.summary import read_summary
from clairemap.console import run
from clairemap.explain.explainer import texts
from clairemap.explain.region_topics import region_outline
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.provenance import stamp, write_text_whole
from clairemap.raster.source import RasterSource
from clairemap.report.content import SamplePoint
from clairemap.report.gather import RegionPaths, gather
from clairemap.report.page import render
from clairemap.report.qgis_project import qgis_project
from clairemap.stages import RenderReport

log = logging.getLogger("clairemap.render_report")


def render_report(
    *,
    region: Annotated[str, typer.Option(help="name of the region")],
    metrics: Annotated[Path, typer.Option(help="metrics.json of the region")],
    model: Annotated[Path, typer.Option(help="folder with model.json, history.csv, statistics.json, audits/")],
    report: Annotated[Path, typer.Option(help="report.html to write")],
    project: Annotated[Path, typer.Option(help="QGIS project to write, in the folder of the maps")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.RenderReport)")],
    maps: Annotated[
        list[Path], typer.Option(help="prefix of the files of a map: results/alps/alps (repeat the option)")
    ],
    scene: Annotated[list[Path] | None, typer.Option(help="folder of a scene: work/scenes/west (repeat)")] = None,
    label_counts: Annotated[
        list[Path] | None, typer.Option(help="label.json of each scene with polygons as labels (repeat)")
    ] = None,
    sources: Annotated[list[Path] | None, typer.Option(help="sources.json of each scene that has one (repeat)")] = None,
    estimates: Annotated[Path | None, typer.Option(help="estimates.json, if there is an interpreted sample")] = None,
    truth: Annotated[Path | None, typer.Option(help="true areas of the demo region")] = None,
    scores: Annotated[list[Path] | None, typer.Option(help="fused/scores.parquet of labelled scenes (repeat)")] = None,
    answers: Annotated[Path | None, typer.Option(help="file with the interpreted sample")] = None,
    design: Annotated[Path | None, typer.Option(help="sample_design.json of that sample")] = None,
    sample: Annotated[Path | None, typer.Option(help="GeoPackage of that sample, in the folder of the maps")] = None,
    benchmarks: Annotated[Path | None, typer.Option(help="folder of Snakemake's benchmarks")] = None,
    changed: Annotated[str | None, typer.Option(help="settings that differ from the defaults, as JSON")] = None,
    earlier: Annotated[
        list[Path] | None, typer.Option(help="land-cover map of an earlier run, for each map (repeat)")
    ] = None,
    polygons: Annotated[list[Path] | None, typer.Option(help="polygons of each map, if they are made (repeat)")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="summaries/{region}.json by the language model, if there is one")
    ] = None,
    accepted: Annotated[list[Path] | None, typer.Option(help="accepted/{stage}.json of each stage (repeat)")] = None,
) -> None:
    """Write the report of a region as one HTML file, and its QGIS project."""
    files = RegionPaths(
        maps=tuple(map(MapFiles, maps)),
        scenes=tuple(map(SceneFolder, scene or ())),
        model=ModelFolder(model),
        metrics=metrics,
        accepted=tuple(accepted or ()),
        label_counts=tuple(label_counts or ()),
        sources=tuple(sources or ()),
        estimates=estimates,
        truth=truth,
        scores=tuple(scores or ()),
        benchmarks=benchmarks,
        earlier=tuple(earlier or ()),
    )
    stage = RenderReport.from_json(settings)
    points = sample_points(answers, design, files.maps[0].landcover, stage) if answers and design else ()
    content = gather(
        region, files, stage, stamp("render_report", settings), points, json.loads(changed) if changed else None
    )
    if summary is None:
        outline = region_outline(
            content.metrics, (tile for folder in files.scenes for tile in read_explanations(folder.explanations))
        )
        written = texts([outline])[0] if outline else Explanation(text="", source="template")
    else:
        written = read_summary(summary)
    sentences = tuple(sentence.text for sentence in written.sentences)
    html = render(replace(content, summary=sentences, summary_source=written.source if sentences else ""))
    if sample and not sample.exists():
        log.warning("%s is missing: the QGIS project has no layer of the sample", sample)
        sample = None
    write_text_whole(
        project, qgis_project(content.title, files.maps, stage.legend, content.stamp, polygons or (), sample)
    )
    write_text_whole(report, html)
    log.info("%s: %d maps, %d tiles, %.1f MB", region, len(content.maps), len(content.tiles), len(html) / 1e6)


def sample_points(answers: Path, design: Path, landcover: Path, stage: RenderReport) -> tuple[SamplePoint, ...]:
    """Return the points of an interpreted sample, with the classes of the map, which may be newer than the sample."""
    drawn = read_sample_design(design)
    found = interpreted(answers, read_answers(answers, stage.accuracy.columns), drawn, stage.legend)
    index = {int(code): number for number, code in enumerate(stage.legend.codes)}
    with RasterSource(landcover) as source:
        codes = codes_of_units(source, drawn.units)
    return tuple(
        SamplePoint(unit.row, unit.column, None if reference == UNANSWERED else int(reference), index.get(int(code)))
        for unit, reference, code in zip(drawn.units, found.reference, codes, strict=True)
    )


if __name__ == "__main__":
    run(render_report)
