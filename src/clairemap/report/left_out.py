"""What was not computed or is not on the page, with the reasons."""

from collections.abc import Iterable, Iterator, Mapping

from clairemap.report.content import Fact, ReportContent
from clairemap.report.numbers import count
from clairemap.text import shortened

MOST_SCENES = 8
"""Maximum number of scenes that a line names."""


def left_out(page: ReportContent) -> tuple[Fact, ...]:
    """Return what was not computed or is not on the page, with the reasons."""
    return tuple(Fact(name, value) for name, value in _left_out(page) if value)


def _left_out(page: ReportContent) -> Iterator[tuple[str, str]]:
    metrics, scored = page.metrics, page.metrics.pixels > 0
    verdicts = _verdicts(page)
    yield "Accuracy", "" if scored else metrics.reason or "no labelled pixels"
    yield "Intervals of the accuracy", metrics.intervals.reason or "" if scored and metrics.intervals else ""
    if scored:
        yield (
            "Scenes without accuracy",
            _names(name for name, scope in metrics.scenes.items() if scope.reason or not scope.pixels),
        )
        if not metrics.views:
            yield "Comparison of the sensors", not_compared(page)
    if page.can_be_sampled:
        yield "Areas with intervals", "there is no interpreted random sample"
    yield "Scenes without labels", _names(row.scene for row in page.inputs if not row.label)
    yield "Scenes with one sensor", _names(name for name, verdict in verdicts.items() if verdict == "single_sensor")
    yield (
        "SAR not moved",
        _names(
            f"{row.record.scene} ({row.record.reason})"
            for row in page.registrations
            if row.record.verdict == "rejected"
        ),
    )
    yield "Clouds unknown", _names(page.unmasked)
    if page.text_sources == {"template"}:
        yield "Language model", "not used: a template chose all sentences"
    yield from _pictures_left_out(page)


def not_compared(page: ReportContent) -> str:
    """Return why the sensors were not compared."""
    verdicts = _verdicts(page)
    labelled = [name for name, scope in page.metrics.scenes.items() if scope.pixels and "test" in scope.tile_splits]
    if labelled and all(verdicts.get(name) == "single_sensor" for name in labelled):
        return "each test scene with labels has one sensor only"
    return "metrics.compare_sensors is false, or no test scene has labels"


def _verdicts(page: ReportContent) -> Mapping[str, str]:
    return {row.record.scene: row.record.verdict for row in page.registrations}


def _pictures_left_out(page: ReportContent) -> Iterator[tuple[str, str]]:
    shown = len(page.tiles) + len(page.interactive.tiles)
    if shown < page.tiles_explained:
        yield (
            "Pictures of tiles",
            f"{count(shown)} of {count(page.tiles_explained)}: report.max_mb limits the page's size",
        )
    missing = sum(row.is_left_out for row in page.registrations)
    yield (
        "Pictures of registrations",
        f"of {count(missing)} scenes: report.max_mb limits the page's size" if missing else "",
    )
    covered = sum(shown_map.get("scenes_without_picture", 0) for shown_map in page.interactive.data.get("maps", ()))
    yield "Pictures of covered scenes", f"of {count(covered)}: report.max_mb limits the page's size" if covered else ""
    yield "Scenes not on the map's layers", _names(page.interactive.unread)


def _names(names: Iterable[str]) -> str:
    return shortened(list(names), MOST_SCENES)
