"""The sentence on the biggest weakness of a map."""

from clairemap.artefacts.metrics import RegionMetrics, largest_error
from clairemap.report.numbers import points


def weakness_text(metrics: RegionMetrics) -> str:
    """Return the class with the lowest IoU and its largest error; empty without enough labels."""
    rated = [row for row in metrics.per_class if row.iou is not None and not row.too_few and row.truth_px]
    if metrics.too_few or not rated:
        return ""
    weakest = min(rated, key=lambda row: row.iou or 0.0)
    interval = metrics.intervals.iou.get(weakest.name) if metrics.intervals else None
    bounds = f"; 95 % interval {points(interval.low)} to {points(interval.high)} %" if interval else ""
    text = f"{weakest.name} has the lowest IoU, {points(weakest.iou)} %{bounds}."
    return f"{text} {_error_text(metrics, metrics.per_class.index(weakest))}".strip()


def _error_text(metrics: RegionMetrics, index: int) -> str:
    error = largest_error(metrics, index)
    if error is None:
        return ""
    names = [row.name for row in metrics.per_class]
    if error.is_false:
        return f"{points(error.share)} % of the pixels mapped as {names[index]} have the label {names[error.label]}."
    return f"{points(error.share)} % of its labelled pixels are mapped as {names[error.mapped]}."
