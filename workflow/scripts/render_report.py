"""Render a region's report page."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from clairemap.console import run
from clairemap.errors import StoreError
from clairemap.provenance import stamp, write_text_whole
from clairemap.report.content import MapPaths, ScenePaths
from clairemap.report.gather import RegionPaths, gather
from clairemap.report.page import render
from clairemap.stages import RenderReport

log = logging.getLogger("clairemap.render_report")


def render_report(
    *,
    region: Annotated[str, typer.Option(help="the region's name")],
    landcover: Annotated[list[Path], typer.Option(help="land-cover map; one of each for every map, in one order")],
    confidence: Annotated[list[Path], typer.Option(help="confidence map")],
    optical_share: Annotated[list[Path], typer.Option(help="optical-share map")],
    source_count: Annotated[list[Path], typer.Option(help="map of how many scenes a pixel rests on")],
    metrics: Annotated[Path, typer.Option(help="metrics.json of the region")],
    registration: Annotated[list[Path], typer.Option(help="registration.json of each scene")],
    tiles: Annotated[list[Path], typer.Option(help="tiles.parquet of each scene")],
    explanations: Annotated[list[Path], typer.Option(help="explanations.jsonl of each scene")],
    pair: Annotated[list[Path], typer.Option(help="pair.zarr of each scene")],
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene, in the order of pair")],
    card: Annotated[Path, typer.Option(help="model.json")],
    history: Annotated[Path, typer.Option(help="history.csv of the training")],
    statistics: Annotated[Path, typer.Option(help="statistics.json of the training tiles")],
    audit: Annotated[Path, typer.Option(help="audit.json of the splits")],
    report: Annotated[Path, typer.Option(help="report.html to write")],
    settings: Annotated[str, typer.Option(help="JSON of RenderReport")],
    check: Annotated[
        list[Path] | None, typer.Option(help="check.json of each map; without any the page says that none was recorded")
    ] = None,
    registration_picture: Annotated[
        list[Path] | None, typer.Option(help="registration.png of each scene with both sensors")
    ] = None,
) -> None:
    """Write the region's report as one HTML file."""
    _check_counts("maps", landcover, confidence, optical_share, source_count, *([check] if check else []))
    _check_counts("stores", pair, probabilities)
    files = RegionPaths(
        maps=tuple(
            MapPaths(paths[0].name.removesuffix(".landcover.tif"), *paths)
            for paths in zip(landcover, confidence, optical_share, source_count, strict=True)
        ),
        checks=tuple(check or ()),
        metrics=metrics,
        registrations=tuple(registration),
        registration_pictures=tuple(registration_picture or ()),
        tiles=tuple(tiles),
        explanations=tuple(explanations),
        scenes=tuple(ScenePaths(*stores) for stores in zip(pair, probabilities, strict=True)),
        card=card,
        history=history,
        statistics=statistics,
        audit=audit,
    )
    content = gather(region, files, RenderReport.from_json(settings), stamp("render_report", settings))
    html = render(content)
    write_text_whole(report, html)
    log.info("%s: %d maps, %d tiles, %.1f MB", region, len(content.maps), len(content.tiles), len(html) / 1e6)


def _check_counts(what: str, *lists: Sequence[Path]) -> None:
    counts = [len(paths) for paths in lists]
    if len(set(counts)) > 1:
        raise StoreError(f"render_report: {what} belong together but {counts} were given; give one of each")


if __name__ == "__main__":
    run(render_report)
