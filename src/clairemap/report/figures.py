"""Diagrams of the report: confusion matrix, course of the training, tie points. All SVG, drawn without global state."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clairemap.registration.record import Registration
from clairemap.report.content import Picture
from clairemap.report.pictures import as_picture
from clairemap.report.records import HistoryStep

_INK = "#1f2430"
_QUIET = "#8a8f9c"
_ACCENT = "#2b6cb0"
_WARNING = "#c2571a"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: small, sharp, and selectable in print
    "svg.hashsalt": "clairemap",  # equal figures give equal files
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_SMOOTH_STEPS = 15


def confusion_figure(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> Picture:
    """Return the confusion matrix as shares of each class of the labels, in percent; rows are the labels."""
    counts = np.asarray(confusion, np.float64)
    truth = counts.sum(axis=1, keepdims=True)
    percent = 100 * np.divide(counts, truth, out=np.zeros_like(counts), where=truth > 0)
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
            if truth[row, 0] and percent[row, column] >= 0.5:
                shade = "white" if percent[row, column] > 55 else _INK
                axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", color=shade)
        return _drawn(figure)


def training_figure(history: Sequence[HistoryStep]) -> Picture:
    """Return loss and validation accuracy over the steps, side by side."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 2.7), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_loss(left, history)
        _draw_validation(right, history)
        return _drawn(figure)


def _draw_loss(axes: Axes, history: Sequence[HistoryStep]) -> None:
    steps = np.array([row.step for row in history])
    loss = np.array([row.loss for row in history])
    axes.plot(steps, loss, color=_QUIET, linewidth=0.6, alpha=0.7)
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
        axes.text(0.5, 0.5, "not validated", ha="center", va="center", transform=axes.transAxes, color=_QUIET)


def registration_figure(record: Registration) -> Picture | None:
    """Return the tie points of a scene with their displacement, drawn larger than they are; None without any."""
    if not record.ties:
        return None
    x, y, dx, dy = (np.array([getattr(tie, name) for tie in record.ties]) for name in ("x", "y", "dx", "dy"))
    agrees = np.array(record.inlier)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(2.5, 2.5), layout="constrained")
        axes = figure.add_subplot()
        for chosen, color, width in ((~agrees, _QUIET, 0.003), (agrees, _ACCENT, 0.006)):
            if chosen.any():
                axes.quiver(
                    x[chosen], y[chosen], dx[chosen], dy[chosen],
                    angles="xy", scale_units="xy", scale=_arrow_scale(x, y, dx, dy), color=color, width=width,
                )  # fmt: skip
        axes.set_aspect("equal")
        axes.set_xlim(*_with_margin(x))
        axes.set_ylim(*reversed(_with_margin(y)))  # rows count downwards
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color("#d5d8de")
        return _drawn(figure)


def _arrow_scale(*columns: NDArray[np.float64]) -> float:
    """Return by how much to shrink displacements so that a typical one spans a twelfth of the scene."""
    x, y, dx, dy = columns
    extent = max(float(np.ptp(x)), float(np.ptp(y)), 1.0)
    typical = max(float(np.median(np.hypot(dx, dy))), 0.25)
    return typical / (extent / 12)


def _with_margin(values: NDArray[np.float64]) -> tuple[float, float]:
    margin = 0.12 * max(float(np.ptp(values)), 1.0)
    return float(values.min()) - margin, float(values.max()) + margin


def _drawn(figure: Figure) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    width, height = figure.get_size_inches() * 96
    return as_picture(buffer.getvalue(), "image/svg+xml", (round(width), round(height)))
