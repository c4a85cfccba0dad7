"""The sentence on the biggest weakness of a map."""

from clairemap.artefacts.metrics import ClassRow, RegionMetrics
from clairemap.report.numbers import points


def weakness_text(metrics: RegionMetrics) -> str:
    """Return the class with the lowest IoU and its largest error; empty without enough labels."""
    rated = [row for row in metrics.per_class if row.iou is not None and not row.too_few and row.truth_px]
    if metrics.too_few or not rated:
        return ""
    weakest = min(rated, key=lambda row: row.iou or 0.0)
    interval = metrics.intervals.iou.get(weakest.name) if metrics.intervals else None
    bounds = f"; 95 % interval {points(interval.low)} to {points(interval.high)} %" if interval else ""
    return f"{weakest.name} has the lowest IoU, {points(weakest.iou)} %{bounds}. {_largest_error(metrics, weakest)}"


def _largest_error(metrics: RegionMetrics, weakest: ClassRow) -> str:
    """Return where most of the class's wrong pixels are: mapped as another class, or other classes mapped as it."""
    names = [row.name for row in metrics.per_class]
    index = names.index(weakest.name)
    missed = [0 if other == index else px for other, px in enumerate(metrics.confusion[index])]
    false = [0 if other == index else row[index] for other, row in enumerate(metrics.confusion)]
    if max(missed) >= max(false):
        other, share = names[missed.index(max(missed))], max(missed) / max(weakest.truth_px, 1)
        return f"{points(share)} % of its labelled pixels are mapped as {other}." if max(missed) else ""
    other, share = names[false.index(max(false))], max(false) / max(weakest.map_px, 1)
    return f"{points(share)} % of the pixels mapped as {weakest.name} have the label {other}."
