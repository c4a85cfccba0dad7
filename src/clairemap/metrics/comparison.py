"""Comparison of the map from both sensors with single-sensor maps on the same pixels."""

from collections.abc import Iterator, Mapping

from clairemap.artefacts.metrics import BelowSingleSensor, Figure
from clairemap.metrics.scores import MIN_TRUTH_PX, Scores, comparable_scores
from clairemap.metrics.tally import Tally
from clairemap.outputs import FUSED

MIN_REPORTED_DIFFERENCE = 0.0005
"""Smallest difference reported (0..1): visible in tables with one decimal of percent."""


def below_single_sensor(scene: str | None, views: Mapping[str, Tally]) -> Iterator[BelowSingleSensor]:
    """Yield the figures for which the view from both sensors scores below the better single sensor.

    All views count the same pixels. mIoU averages the classes with at least MIN_TRUTH_PX labelled pixels. Views with
    fewer than MIN_TRUTH_PX pixels are not compared.
    """
    found = {view: comparable_scores(counts.confusion) for view, counts in views.items()}
    fused = found.pop(FUSED, None)
    if fused is None or not found or min(figures.pixels for figures in (fused, *found.values())) < MIN_TRUTH_PX:
        return
    figures: tuple[Figure, ...] = ("mIoU", "OA")
    for figure in figures:
        sensor = max(found, key=lambda view: _value(found[view], figure))
        alone, both = _value(found[sensor], figure), _value(fused, figure)
        if alone - both >= MIN_REPORTED_DIFFERENCE:
            yield BelowSingleSensor(
                scene=scene, sensor=sensor, figure=figure, fused=both, alone=alone, pixels=fused.pixels
            )


def _value(figures: Scores, figure: Figure) -> float:
    return figures.miou if figure == "mIoU" else figures.oa
