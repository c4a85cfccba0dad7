"""The page ``index.html`` of the results folder: all regions with a small map, figures, and what changed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from pydantic import Field, ValidationError
from rasterio.errors import RasterioError

from clairemap.artefacts.document import DocumentModel
from clairemap.artefacts.estimates import read_estimates
from clairemap.artefacts.metrics import read_metrics
from clairemap.classes import ColoredLegend
from clairemap.errors import ClairemapError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.provenance import write_text_whole
from clairemap.raster.opening import open_raster
from clairemap.report.content import Picture
from clairemap.report.map_viewer import file_sources
from clairemap.report.numbers import hectares, percent
from clairemap.report.page_data import page_file, to_json
from clairemap.report.pictures import index_picture
from clairemap.report.pyramid import top_step

PICTURE_PX = 320
SAME_SHARE = 0.0005
"""Differences of accuracies below this, and relative ones of areas, are not named."""

MOST_CHANGES = 4


class RegionFigures(DocumentModel):
    """What the page keeps of a region, to compare the next run with."""

    miou: float | None
    oa: float | None
    estimated_oa: float | None
    area_ha: dict[str, float | None]


class Entry(DocumentModel):
    """A region on the page: its figures, the day of its report, and what changed then."""

    figures: RegionFigures
    day: str
    changed: tuple[str, ...] = ()


class _Kept(DocumentModel):
    regions: dict[str, Entry] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    name: str
    entry: Entry | None = None
    picture: Picture | None = None
    error: str = ""


def write_index(results: Path, maps: Mapping[str, Sequence[str]], legend: ColoredLegend) -> Path:
    """Write ``index.html`` for the regions that have a report; return its path.

    Args:
        results: folder of the results.
        maps: names of the maps of each region.
        legend: colours of the classes.
    """
    path = results / "index.html"
    before = _kept(path)
    rows: list[_Row] = []
    for region, names in maps.items():
        report = results / region / "report.html"
        if not report.exists():
            rows.append(_Row(region, error="There is no report yet."))
            continue
        try:
            entry = _entry(results / region, report, before.regions.get(region))
            picture = _picture(MapFiles(results / region / names[0]), legend) if names else None
            rows.append(_Row(region, entry, picture))
        except (ClairemapError, RasterioError):
            rows.append(_Row(region, error="A file of this region is missing or damaged: run again."))
    kept = _Kept(regions={row.name: row.entry for row in rows if row.entry})
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(percent=percent, hectares=hectares)
    template = environment.from_string(page_file("index.html.j2"))
    write_text_whole(path, template.render(rows=rows, legend=legend, data=to_json(kept.model_dump(mode="json"))))
    return path


def _entry(folder: Path, report: Path, before: Entry | None) -> Entry:
    metrics = read_metrics(folder / "metrics.json")
    estimates = folder / "estimates.json"
    figures = RegionFigures(
        miou=metrics.miou,
        oa=metrics.oa,
        estimated_oa=read_estimates(estimates).overall.value if estimates.exists() else None,
        area_ha={row.name: row.map_ha for row in metrics.areas},
    )
    day = datetime.fromtimestamp(report.stat().st_mtime, UTC).date().isoformat()
    if before is None:
        return Entry(figures=figures, day=day, changed=("first run",))
    if before.figures == figures:
        return Entry(figures=figures, day=day, changed=before.changed if before.day == day else ("figures unchanged",))
    return Entry(figures=figures, day=day, changed=tuple(changes(before.figures, figures)))


def changes(before: RegionFigures, now: RegionFigures) -> list[str]:
    """Return the differences between two runs in words: accuracies, then the largest differences of areas."""
    found = []
    names = (("miou", "mIoU"), ("oa", "overall accuracy"), ("estimated_oa", "estimated accuracy"))
    for key, name in names:
        old, new = getattr(before, key), getattr(now, key)
        if old != new and (old is None or new is None or abs(old - new) >= SAME_SHARE):
            found.append(f"{name} {percent(old)} before, {percent(new)} now")
    areas = []
    for name in {**before.area_ha, **now.area_ha}:
        old, new = before.area_ha.get(name), now.area_ha.get(name)
        difference = abs((new or 0.0) - (old or 0.0))
        if difference > SAME_SHARE * max(old or 0.0, new or 0.0):
            areas.append((difference, f"{name} {hectares(old)} ha before, {hectares(new)} ha now"))
    found.extend(text for _, text in sorted(areas, reverse=True)[:MOST_CHANGES])
    return found or ["differences too small to be named"]


def _picture(files: MapFiles, legend: ColoredLegend) -> Picture:
    with open_raster(files.landcover) as raster:
        whole = Window.whole((int(raster.height), int(raster.width)))
    values = file_sources(files, legend)[0].read(whole, top_step(whole, PICTURE_PX))
    return index_picture(values, [c.rgb for c in legend.classes])


def _kept(path: Path) -> _Kept:
    """Return what an earlier page kept; nothing if there is none or it is damaged."""
    try:
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.S)
        return _Kept.model_validate(json.loads(found[1])) if found else _Kept()
    except (OSError, ValueError, ValidationError):
        return _Kept()
