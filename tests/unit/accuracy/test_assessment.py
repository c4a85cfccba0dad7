from collections.abc import Sequence

import numpy as np
import pytest

from clairemap.accuracy.assessment import Assessment, InterpretedSample, assess
from clairemap.accuracy.estimators import Estimate, Strata, area_of, share

OLOFSSON_COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
OLOFSSON_PX = (200000, 150000, 3200000, 6450000)
LANDSAT_HA = 0.09

STEHMAN_PX = (40000, 30000, 20000, 10000)
STEHMAN_STRATA = "A" * 10 + "B" * 10 + "C" * 10 + "D" * 10
STEHMAN_MAP = "A" * 7 + "BBB" + "A" + "B" * 11 + "C" * 6 + "BB" + "D" * 10
STEHMAN_REFERENCE = "AAAAACBABCABBBBBAABBCCCCCDDBBADDDDDDDCCB"


def codes(text: str) -> np.ndarray:
    return np.array(["ABCD".index(letter) for letter in text])


def strata_of(of_units: np.ndarray, pixels: Sequence[float], pixel_area: float = 1.0) -> Strata:
    return Strata(of_units, np.array(pixels, float), np.array(pixels) * pixel_area, np.ones(len(of_units)))


def from_counts(counts: np.ndarray, pixels: Sequence[float], pixel_area: float = 1.0) -> Assessment:
    """Return the assessment of a matrix (mapped, reference), where the strata are the mapped classes."""
    cells = np.indices(counts.shape).reshape(2, -1)
    mapped, reference = np.repeat(cells, counts.reshape(-1), axis=1)
    return assess(InterpretedSample(mapped, reference, strata_of(mapped, pixels, pixel_area), len(counts)))


def errors(estimates: tuple[Estimate, ...]) -> list[float]:
    return [each.standard_error for each in estimates]


def values(estimates: tuple[Estimate, ...]) -> list[float]:
    return [each.value for each in estimates]


def test_equals_table_8_of_olofsson_et_al_2014():
    found = from_counts(OLOFSSON_COUNTS, OLOFSSON_PX, LANDSAT_HA)
    assert found.overall.value == pytest.approx(0.9465, abs=5e-5)
    assert 1.96 * found.overall.standard_error == pytest.approx(0.0185, abs=5e-5)
    np.testing.assert_allclose(values(found.users), [0.880, 0.733, 0.927, 0.963], atol=5e-4)
    np.testing.assert_allclose(1.96 * np.array(errors(found.users)), [0.074, 0.101, 0.040, 0.021], atol=5e-4)
    np.testing.assert_allclose(values(found.producers), [0.749, 0.847, 0.935, 0.962], atol=1e-3)
    np.testing.assert_allclose(1.96 * np.array(errors(found.producers)), [0.214, 0.255, 0.034, 0.018], atol=5e-3)
    assert found.areas[0].value == pytest.approx(21158, abs=1)
    assert 1.96 * found.areas[0].standard_error == pytest.approx(6158, abs=2)


def test_equals_the_example_of_olofsson_et_al_2013():
    """The first example of R's mapaccuracy (hagc/mapaccuracy, R/olofsson.R); hectares; equations 9 to 16."""
    counts = np.array([[97, 0, 3], [3, 279, 18], [2, 1, 97]])
    hectares = np.array([22353.0, 1122543, 610228])
    found = from_counts(counts, hectares * 1e6, 1e-6)
    assert found.areas[0].value / hectares.sum() == pytest.approx(0.0257, abs=5e-5)
    assert found.areas[0].value == pytest.approx(45112, abs=1)
    assert found.areas[0].standard_error == pytest.approx(10751, abs=1)
    assert found.users[0].value == pytest.approx(0.97)
    assert found.producers[0].value == pytest.approx(0.48, abs=5e-3)
    assert found.overall.value == pytest.approx(0.944, abs=5e-4)


def test_areas_of_all_classes_of_olofsson_et_al_2014():
    """The second example of mapaccuracy: hectares and half-widths of page 54 of the paper."""
    found = from_counts(OLOFSSON_COUNTS, OLOFSSON_PX, LANDSAT_HA)
    np.testing.assert_allclose(values(found.areas), [21158, 11686, 285770, 581386], atol=1)
    np.testing.assert_allclose(1.96 * np.array(errors(found.areas)), [6158, 3756, 15510, 16282], atol=2)


def test_variance_of_areas_has_members_and_others():
    """AcATaMa's example of Tinigua (tests/data/analysis/accuracy_assessment_simple_post_stratify_revised.html).

    Its standard errors of areas, 1161, 438 and 1614 ha, lack the part of the units that are not of the class; its pull
    request 32 corrects it to n p (1 - p) / (n - 1). Its other figures are right.
    """
    counts = np.array([[325, 0, 15], [0, 17, 0], [7, 1, 135]])
    hectares = np.array([145078.56, 5703.75, 64029.69])
    found = from_counts(counts, hectares * 1e6, 1e-6)
    assert (found.overall.value, found.overall.standard_error) == pytest.approx((0.95353, 0.00948), abs=5e-6)
    np.testing.assert_allclose(values(found.users), [0.95588, 1, 0.94406], atol=5e-6)
    np.testing.assert_allclose(errors(found.users), [0.01115, 0, 0.01929], atol=6e-6)
    np.testing.assert_allclose(values(found.producers), [0.9779, 0.92721, 0.90425], atol=5e-6)
    np.testing.assert_allclose(values(found.areas), [141812.35578, 6151.51007, 66848.13415], atol=1e-4)
    units = counts.sum(1, keepdims=True)
    shares = counts / units
    corrected = np.sqrt((hectares[:, None] ** 2 * shares * (1 - shares) / (units - 1)).sum(0))
    np.testing.assert_allclose(errors(found.areas), corrected, rtol=1e-6)
    assert (np.array(errors(found.areas)) > [1161.23342, 438.0444, 1613.71172]).all()
    assert errors(found.areas)[0] == pytest.approx(1990.6, abs=0.1)


def test_equals_the_example_of_stehman_2014():
    sample = InterpretedSample(
        codes(STEHMAN_MAP), codes(STEHMAN_REFERENCE), strata_of(codes(STEHMAN_STRATA), STEHMAN_PX), 4
    )
    found = assess(sample)
    shares = np.array(values(found.areas)) / sum(STEHMAN_PX)
    share_errors = np.array(errors(found.areas)) / sum(STEHMAN_PX)
    assert (shares[0], share_errors[0]) == pytest.approx((0.35, 0.082), abs=5e-4)
    assert (shares[2], share_errors[2]) == pytest.approx((0.20, 0.064), abs=5e-4)
    assert (found.overall.value, found.overall.standard_error) == pytest.approx((0.63, 0.085), abs=5e-4)
    assert (found.users[1].value, found.users[1].standard_error) == pytest.approx((0.574, 0.125), abs=5e-4)
    assert (found.producers[1].value, found.producers[1].standard_error) == pytest.approx((0.794, 0.1165), abs=2e-4)
    assert found.matrix[1, 2] == pytest.approx(0.08, abs=5e-4)


def test_areas_add_up_to_the_map_also_if_pixels_differ_in_area():
    rng = np.random.default_rng(1)
    of_units = np.repeat([0, 1], 40)
    strata = Strata(of_units, np.array([900.0, 500.0]), np.array([80.0, 40.0]), rng.uniform(0.05, 0.12, 80))
    found = assess(InterpretedSample(of_units, rng.integers(0, 2, 80), strata, 2))
    assert sum(values(found.areas)) == pytest.approx(120)
    assert found.matrix.sum() == pytest.approx(1)
    assert found.quantity_disagreement + found.allocation_disagreement == pytest.approx(1 - found.overall.value)


def test_a_perfect_map_has_no_error_but_an_interval():
    found = from_counts(np.diag([30, 40]), [1000, 3000], 0.01)
    assert found.overall.value == 1
    assert found.overall.standard_error == 0
    assert 0.9 < found.overall.low < 1
    assert found.overall.high == 1
    assert values(found.areas) == pytest.approx([10, 30])
    assert np.isnan(found.design_effect)


def test_strata_that_are_all_right_or_all_wrong_do_not_make_an_accuracy_certain():
    """Their variance is 0, but for rounding: each unit of the third stratum is of the second class."""
    found = from_counts(np.array([[20, 0, 0], [0, 60, 0], [0, 20, 0]]), [4800, 17600, 1600])
    for accuracy, units in ((found.overall, 100), (found.producers[1], 80), (found.f1[1], 80)):
        half = 1.96 * np.sqrt(accuracy.value * (1 - accuracy.value) / units)
        assert accuracy.high - accuracy.low == pytest.approx(2 * half, rel=0.1)


def test_an_area_may_be_in_strata_without_members():
    """45 of 50 units in a small stratum, none of 300 in a large one: its variance is 0, but it may have members."""
    found = from_counts(np.array([[45, 5], [0, 300]]), [1000, 100_000])
    area = found.areas[0]
    assert area.value == 900
    assert area.low == pytest.approx(900 - 1.96 * area.standard_error, rel=0.05)
    assert area.high == pytest.approx(900 + 100_000 * 0.0083, rel=0.02)


def test_the_interval_of_an_area_is_nearly_normal_in_large_samples():
    area = from_counts(np.array([[400, 100], [60, 440]]), [1e6, 2e6]).areas[0]
    np.testing.assert_allclose([area.value - area.low, area.high - area.value], 1.96 * area.standard_error, rtol=0.05)


def test_classes_without_units_are_unknown():
    found = from_counts(np.array([[5, 0, 0], [5, 0, 0], [0, 0, 0]]), [10, 10, 0])
    assert np.isnan(found.producers[1].value)
    assert np.isnan(found.users[2].value)
    assert found.areas[1].value == 0


def test_a_stratum_with_one_unit_is_refused():
    with pytest.raises(ValueError, match=r"strata \[1\] have fewer than 2 units"):
        from_counts(np.array([[5, 0], [0, 1]]), [10, 10])


def test_a_stratum_of_one_pixel_is_known_from_one_unit():
    found = from_counts(np.array([[9, 1], [1, 0]]), (990, 1))
    assert values(found.areas) == pytest.approx([0.9 * 990 + 1, 99])
    assert errors(found.areas) == pytest.approx([np.sqrt(980 / 990 * 990**2 * (0.1 / 10))] * 2)
    with pytest.raises(ValueError, match="fewer than 2 units"):
        from_counts(np.array([[9, 1], [0, 0]]), (990, 1))


def test_a_sample_of_all_pixels_has_no_error():
    found = from_counts(np.array([[6, 4], [2, 8]]), [10, 10])
    assert found.overall.standard_error == 0
    assert errors(found.areas) == [0, 0]


def test_pixels_of_equal_area_give_the_textbook_variance():
    values_of_units = np.array([0.0, 1, 1, 0, 1, 0, 0, 1])
    strata = strata_of(np.repeat([0, 1], 4), [100, 300])
    expected = sum(
        pixels**2 * (1 - 4 / pixels) * np.var(units, ddof=1) / 4
        for pixels, units in zip([100, 300], [values_of_units[:4], values_of_units[4:]], strict=True)
    )
    assert area_of(strata, values_of_units).standard_error == pytest.approx(np.sqrt(expected))


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.97])
def test_coverage_of_the_interval_of_a_share(rate: float):
    rng = np.random.default_rng(3)
    strata = strata_of(np.repeat([0, 1], 60), [1e6, 2e6])
    covered = []
    for _ in range(600):
        found = share(strata, (rng.random(120) < rate).astype(float), np.ones(120))
        covered.append(found.low <= rate <= found.high)
    assert 0.92 <= np.mean(covered) <= 0.99
