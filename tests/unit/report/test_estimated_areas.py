from types import ModuleType

import pytest

from clairemap.artefacts.simulated_answers import SimulatedAnswers
from clairemap.report.estimated_areas import NAMED_CLASSES, estimates_section


def test_a_pixel_count_within_all_intervals_is_not_misleading(made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    section = estimates_section(made_artefacts.area_estimates(made("a", 500, 50, 520), made("b", 90, 9, 85)))
    assert section.verdict == (
        "The sample does not show the pixel count to be misleading: it is within the 95\u00a0% interval for all 2 "
        "classes."
    )
    assert [row.deviation for row in section.rows] == ["within interval"] * 2


def test_the_sentence_names_misleading_classes_and_by_how_much(made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    rows = made("road", 200, 20, 260), made("wood", 1000, 90, 900), made("lake", 50, 5, 50)
    section = estimates_section(made_artefacts.area_estimates(*rows))
    assert section.verdict == (
        "The pixel count is misleading for 2 of 3 classes, outside the 95\u00a0% interval: road by 40.0 ha (30 % more "
        "than estimated), wood by 10.0 ha (10 % less than estimated)."
    )
    assert [row.deviation for row in section.rows] == ["40.0 ha above", "10.0 ha below", "within interval"]


def test_of_many_misleading_classes_the_sentence_names_the_largest(made_artefacts: ModuleType):
    rows = [made_artefacts.class_estimates(f"c{number}", 100, 10, 200 + number) for number in range(64)]
    verdict = estimates_section(made_artefacts.area_estimates(*rows)).verdict
    assert verdict.startswith("The pixel count is misleading for 64 of 64 classes, outside the ")
    assert " interval: c63 by 153 ha (163 % more than estimated), c62 by 152 ha" in verdict
    assert verdict.count("than estimated") == NAMED_CLASSES
    assert verdict.endswith(", and 60 more, see the table.")


def test_a_class_without_an_estimated_area_has_no_plot(made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    section = estimates_section(made_artefacts.area_estimates(made("a", 100, 10, 100), made("b", 0, 0, 7, True)))
    assert section.rows[1].plot is None
    assert "b by 7.0 ha (7.0 ha counted, none estimated)." in section.verdict


def test_the_plot_is_as_wide_as_the_largest_difference(made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    section = estimates_section(made_artefacts.area_estimates(made("a", 100, 10, 115), made("b", 200, 30, 180)))
    assert section.span_pct == 20
    first, second = (row.plot for row in section.rows)
    assert first is not None and second is not None
    assert (first.low, first.high, first.counted, first.beyond) == (25.0, 75.0, 87.5, False)
    assert (second.low, second.high, second.counted) == (12.5, 87.5, 25.0)
    assert first.text == "a: estimated 100 ha, 95 % interval 90.0 to 110 ha, pixel count 115 ha, outside the interval"


@pytest.mark.parametrize(("counted_ha", "place"), [(350, 100.0), (0, 0.0)])
def test_a_pixel_count_far_away_is_at_the_edge_of_the_plot(made_artefacts: ModuleType, counted_ha: float, place: float):
    row = made_artefacts.class_estimates("a", 100, 10, counted_ha)
    section = estimates_section(made_artefacts.area_estimates(row, row))
    plot = section.rows[0].plot
    assert section.span_pct == 100 and plot is not None
    assert (plot.counted, plot.beyond) == (place, counted_ha > 200)


def test_simulated_answers_are_declared_with_the_true_areas(made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    estimates = made_artefacts.area_estimates(made("a", 100, 10, 115), made("b", 200, 30, 180))
    simulated = SimulatedAnswers(units=400, wrong=12, area_ha={"a": 105, "b": 240}, stamp={})
    section = estimates_section(estimates, simulated)
    assert "answers are simulated" in section.simulated and "12 of 400 of them wrong on purpose" in section.simulated
    assert "within the 95 % interval for 1 of 2 classes" in section.simulated
    assert [row.true_ha for row in section.rows] == [105, 240]
    first = section.rows[0].plot
    assert first is not None and first.true == 62.5 and first.text.endswith("; true area 105 ha")
