"""Estimates from a random sample, as the page shows them: texts, and a plot of counted against estimated areas."""

from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.artefacts.estimates import AreaEstimates, ClassEstimates, Figure
from clairemap.artefacts.simulated_answers import SimulatedAnswers
from clairemap.report.numbers import MISSING, hectares

NAMED_CLASSES = 4
"""Misleading classes that the sentence names; the table has all."""

INTERVAL = "95\u00a0% interval"

LARGEST_SPAN = 1.0
"""Largest relative difference from the estimate that the plot shows; larger ones end in an arrow."""

SPANS = (0.05, 0.1, 0.2, 0.5, LARGEST_SPAN)


@dataclass(frozen=True)
class PlotRow:
    """Positions of a class in the plot, percent of its width; the estimate is at 50, limits beyond the plot at its end.

    `beyond` says that the pixel count is outside the plot. `true` is None outside the demo.
    """

    low: float
    high: float
    counted: float
    beyond: bool
    true: float | None
    text: str


@dataclass(frozen=True)
class EstimatedClass:
    """A row of the table. `deviation` says where the pixel count is; `plot` is None without an estimated area."""

    figures: ClassEstimates
    deviation: str
    plot: PlotRow | None
    true_ha: float | None


@dataclass(frozen=True)
class EstimatesSection:
    """The estimates of a region. `span_pct` is the relative difference at the ends of the plot."""

    estimates: AreaEstimates
    verdict: str
    rows: tuple[EstimatedClass, ...]
    span_pct: int
    simulated: str


def estimates_section(estimates: AreaEstimates, simulated: SimulatedAnswers | None = None) -> EstimatesSection:
    """Return the section of the page.

    Args:
        estimates: of the region.
        simulated: how the answers were simulated, and the true areas; None for answers of people.
    """
    true_ha = simulated.area_ha if simulated else {}
    span = _span(estimates.classes)
    return EstimatesSection(
        estimates=estimates,
        verdict=verdict_text(estimates.classes),
        rows=tuple(
            EstimatedClass(row, _deviation(row), _plot(row, span, true_ha.get(row.name)), true_ha.get(row.name))
            for row in estimates.classes
        ),
        span_pct=round(100 * span),
        simulated=_simulated_text(estimates.classes, simulated) if simulated else "",
    )


def verdict_text(classes: Sequence[ClassEstimates]) -> str:
    """Return whether the pixel count is misleading, in one sentence: for which classes, and by how much."""
    misleading = sorted((row for row in classes if row.misleading), key=_excess_ha, reverse=True)
    if not misleading:
        return (
            "The sample does not show the pixel count to be misleading: it is within the "
            f"{INTERVAL} for all {len(classes)} classes."
        )
    named = [f"{row.name} by {_excess_text(row)} ({_relative_text(row)})" for row in misleading[:NAMED_CLASSES]]
    more = len(misleading) - len(named)
    return (
        f"The pixel count is misleading for {len(misleading)} of {len(classes)} classes, outside the {INTERVAL}: "
        f"{', '.join(named)}" + (f", and {more} more, see the table" if more else "") + "."
    )


def _excess_ha(row: ClassEstimates) -> float:
    """Return how far the pixel count is outside the interval, hectares; 0 inside."""
    return max(row.counted_ha - row.area_ha.high, row.area_ha.low - row.counted_ha, 0.0)


def _excess_text(row: ClassEstimates) -> str:
    excess = _excess_ha(row)
    return f"{hectares(excess) if excess >= 1 else f'{excess:.2g}'} ha"


def _relative_text(row: ClassEstimates) -> str:
    if row.area_ha.value <= 0:
        return f"{hectares(row.counted_ha)} ha counted, none estimated"
    relative = row.counted_ha / row.area_ha.value - 1
    return f"{abs(100 * relative):.0f} % {'more' if relative > 0 else 'less'} than estimated"


def _deviation(row: ClassEstimates) -> str:
    if not row.misleading:
        return "within interval"
    return f"{_excess_text(row)} {'above' if row.counted_ha > row.area_ha.high else 'below'}"


def _span(classes: Sequence[ClassEstimates]) -> float:
    """Return the relative difference at the ends of the plot: the smallest of `SPANS` that shows all."""
    largest = max(
        (
            abs(area / row.area_ha.value - 1)
            for row in classes
            if row.area_ha.value > 0
            for area in (row.counted_ha, row.area_ha.low, row.area_ha.high)
        ),
        default=0.0,
    )
    return next((span for span in SPANS if span >= largest), LARGEST_SPAN)


def _plot(row: ClassEstimates, span: float, true_ha: float | None) -> PlotRow | None:
    area = row.area_ha
    if area.value <= 0:
        return None

    def place(area_ha: float) -> float:
        return round(50 + 50 * (area_ha / area.value - 1) / span, 2)

    counted = place(row.counted_ha)
    return PlotRow(
        low=_clipped(place(area.low)),
        high=_clipped(place(area.high)),
        counted=_clipped(counted),
        beyond=counted != _clipped(counted),
        true=None if true_ha is None else _clipped(place(true_ha)),
        text=(
            f"{row.name}: estimated {hectares(area.value)} ha, 95 % interval {interval_text(area)} ha, pixel count "
            f"{hectares(row.counted_ha)} ha, {'outside' if row.misleading else 'within'} the interval"
            + ("" if true_ha is None else f"; true area {hectares(true_ha)} ha")
        ),
    )


def _clipped(place: float) -> float:
    return min(max(place, 0.0), 100.0)


def interval_text(figure: Figure) -> str:
    """Return the interval of an area in hectares."""
    return f"{hectares(figure.low)} to {hectares(figure.high)}"


def accuracy_interval(figure: Figure | None) -> str:
    """Return the interval of an accuracy in percent, without the sign."""
    return MISSING if figure is None else f"{100 * figure.low:.1f} to {100 * figure.high:.1f}"


def _simulated_text(classes: Sequence[ClassEstimates], simulated: SimulatedAnswers) -> str:
    known = [row for row in classes if row.name in simulated.area_ha]
    inside = sum(row.area_ha.low <= simulated.area_ha[row.name] <= row.area_ha.high for row in known)
    return (
        f"This is the demo: its answers are simulated from the known truth of the region, {simulated.wrong} of "
        f"{simulated.units} of them wrong on purpose. The true area is within the 95 % interval for {inside} of "
        f"{len(known)} classes."
    )
