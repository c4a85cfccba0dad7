"""Plots of the report as SVG: confusion matrix, training curve, tie points."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clairemap.artefacts.history import HistoryStep
from clairemap.artefacts.registration import Registration
from clairemap.grid.points import Size
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.scores import MIN_TRUTH_PX
from clairemap.registration.model import Displacement
from clairemap.report.content import Picture
from clairemap.report.pictures import as_picture

_INK_COLOR = "#1f2430"
_QUIET_COLOR = "#8a8f9c"
_ACCENT = "#2b6cb0"
_WARNING = "#c2571a"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small and selectable
    "svg.hashsalt": "clairemap",  # equal figures give equal files
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK_COLOR,
    "axes.edgecolor": _QUIET_COLOR,
    "axes.labelcolor": _INK_COLOR,
    "xtick.color": _INK_COLOR,
    "ytick.color": _INK_COLOR,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_SMOOTH_STEPS = 15
_OFFSET = ("dy", "dx")


def confusion_figure(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Picture:
    """Return the confusion matrix in percent of each labelled class; rows are labels, columns the map.

    Rows with fewer than MIN_TRUTH_PX labelled pixels are empty.
    """
    counts = np.asarray(confusion, np.float64)
    truth = counts.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(counts, truth, out=np.zeros_like(counts), where=truth >= MIN_TRUTH_PX)
    side = 1.6 + 0.55 * len(names)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(side + 0.6, side), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
        axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("in the map")
        axes.set_ylabel("in the labels")
        for row, column in np.ndindex(percent.shape):
            if truth[row, 0] >= MIN_TRUTH_PX and percent[row, column] >= 0.5:
                shade = "white" if percent[row, column] > 55 else _INK_COLOR
                axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", color=shade)
        return _drawn(figure)


def training_figure(history: Sequence[HistoryStep]) -> Picture:
    """Return loss and validation accuracy by step, side by side."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 2.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_loss(left, history)
        _draw_validation(right, history)
        return _drawn(figure)


def _draw_loss(axes: Axes, history: Sequence[HistoryStep]) -> None:
    steps = np.array([row.step for row in history])
    loss = np.array([row.loss for row in history])
    axes.plot(steps, loss, color=_QUIET_COLOR, linewidth=0.6, alpha=0.7)
    width = min(_SMOOTH_STEPS, len(loss))
    smooth = np.convolve(loss, np.ones(width) / width, mode="valid")
    axes.plot(steps[width - 1 :], smooth, color=_ACCENT, linewidth=1.6)
    axes.set_xlabel("step")
    axes.set_ylabel("RIFT loss")
    axes.set_ylim(bottom=0)


def _draw_validation(axes: Axes, history: Sequence[HistoryStep]) -> None:
    for name, color, label in (("val_miou", _ACCENT, "mIoU"), ("val_oa", _WARNING, "overall accuracy")):
        points = [(row.step, 100 * value) for row in history if (value := getattr(row, name)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=3, linewidth=1.3, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("validation, %")
    axes.set_ylim(0, 100)
    if axes.has_data():
        axes.legend(frameon=False, loc="lower right")
    else:
        axes.text(0.5, 0.5, "not validated", ha="center", va="center", transform=axes.transAxes, color=_QUIET_COLOR)


def reliability_figure(counts: Calibration) -> Picture:
    """Return accuracy by confidence beside the ideal line, and the share of the pixels by confidence."""
    known = counts.px > 0
    confidence = 100 * counts.confidence[known] / counts.px[known]
    accuracy = 100 * counts.correct[known] / counts.px[known]
    edges = 100 * np.arange(len(counts.px) + 1) / len(counts.px)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(6.4, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot([0, 100], [0, 100], color=_QUIET_COLOR, linewidth=1, linestyle="--")
        left.plot(confidence, accuracy, color=_ACCENT, marker="o", markersize=4, linewidth=1.4)
        left.set_ylabel("accuracy, %")
        left.set_ylim(0, 100)
        right.bar(edges[:-1], 100 * counts.px / counts.px.sum(), np.diff(edges), align="edge", color=_ACCENT)
        right.set_ylabel("share of the pixels, %")
        for axes in (left, right):
            axes.set_xlabel("confidence, %")
            axes.set_xlim(0, 100)
        return _drawn(figure)


def radiometry_figure(distances: Mapping[str, Sequence[tuple[str, float]]]) -> Picture:
    """Return the difference of each band from the training scenes, a line for each scene and sensor.

    Args:
        distances: names of the bands, and their differences in training standard deviations, by name of the line.
    """
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 0.9 + 0.24 * len(distances)), layout="constrained")
        axes = figure.add_subplot()
        for line, bands in enumerate(distances.values()):
            axes.axhline(line, color="#dfe2e8", linewidth=0.8, zorder=0)
            axes.plot([value for _, value in bands], [line] * len(bands), "o", color=_ACCENT, markersize=5, alpha=0.8)
            band, largest = max(bands, key=lambda each: each[1])
            axes.annotate(band, (largest, line), (5, 0), textcoords="offset points", va="center", fontsize=7)
        axes.set_yticks(range(len(distances)), list(distances))
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel("difference of the band's mean from the training scenes, standard deviations")
        return _drawn(figure)


def registration_figure(record: Registration) -> Picture | None:
    """Return two plots: displacements of all tie points, and residuals of the inliers; None without tie points.

    Each plot has its own scale.
    """
    if not record.ties:
        return None
    places, found = (np.array([(getattr(tie, y), getattr(tie, x)) for tie in record.ties]) for y, x in ("yx", _OFFSET))
    inlier = np.array([tie.inlier for tie in record.ties])
    residual = found - Displacement.of(record.model).at_places(places)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(5.2, 3.1), layout="compressed")
        first, second = figure.subplots(1, 2)
        _draw_arrows(first, "displacement", places, found, inlier)
        residual = np.where(inlier[:, None], residual, np.nan)
        _draw_arrows(second, "residual", places, residual, inlier)
        return _drawn(figure)


def _draw_arrows(
    axes: Axes, title: str, places: NDArray[np.float64], vectors: NDArray[np.float64], inlier: NDArray[np.bool_]
) -> None:
    """Draw vectors (tie, 2), y first, at their positions, and a scale bar; NaN becomes a grey dot."""
    drawn = np.isfinite(vectors).all(axis=1)
    extent = max(float(np.ptp(places, axis=0).max()), 1.0)
    typical_px = _typical(vectors[inlier if (inlier & drawn).any() else drawn])
    shown_px, per_px = _round_length(2 * typical_px), extent / 16 / typical_px
    axes.plot(places[~drawn, 1], places[~drawn, 0], ".", color=_QUIET_COLOR, markersize=2)
    for chosen, color, width in ((~inlier & drawn, _QUIET_COLOR, 0.004), (inlier & drawn, _ACCENT, 0.006)):
        if chosen.any():
            (y, x), (dy, dx) = places[chosen].T, vectors[chosen].T * per_px
            axes.quiver(x, y, dx, dy, angles="xy", scale_units="xy", scale=1, color=color, width=width)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel(f"bar: {shown_px:g} px", fontsize=8)
    _frame(axes, places, extent, shown_px * per_px)


def _frame(axes: Axes, places: NDArray[np.float64], extent: float, bar: float) -> None:
    """Set limits around the tie points and draw the scale bar below them."""
    bottom, middle = float(places[:, 0].max()) + 0.2 * extent, float(np.ptp(places[:, 1]) / 2 + places[:, 1].min())
    axes.plot([middle - bar / 2, middle + bar / 2], [bottom, bottom], color=_INK_COLOR, linewidth=1.6)
    axes.set_aspect("equal")
    axes.set_xlim(places[:, 1].min() - 0.15 * extent, places[:, 1].max() + 0.15 * extent)
    axes.set_ylim(bottom + 0.06 * extent, places[:, 0].min() - 0.15 * extent)  # rows count downwards
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#d5d8de")


def _typical(vectors: NDArray[np.float64]) -> float:
    return max(float(np.median(np.hypot(*vectors.T))), 0.1) if len(vectors) else 1.0


def _round_length(length: float) -> float:
    """Return the largest of 1, 2, 5 times a power of ten that is not above a length."""
    power = 10.0 ** math.floor(math.log10(length))
    return max(step * power for step in (1, 2, 5) if step * power <= length * 1.000001)


def _drawn(figure: Figure) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    width, height = figure.get_size_inches() * 96
    return as_picture(buffer.getvalue(), "image/svg+xml", Size(round(height), round(width)))
