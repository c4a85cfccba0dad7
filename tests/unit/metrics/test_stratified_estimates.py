import numpy as np
import pytest

from clairemap.metrics.stratified_estimates import stratified_estimates

COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
STRATA_PX = np.array([200000, 150000, 3200000, 6450000])
LANDSAT_HA = 0.09


def test_equals_the_example_of_olofsson_et_al_2014():
    estimates = stratified_estimates(COUNTS, STRATA_PX, LANDSAT_HA)
    assert estimates.overall.value == pytest.approx(0.9465, abs=5e-5)
    assert estimates.overall.half_width == pytest.approx(0.0185, abs=5e-5)
    np.testing.assert_allclose(estimates.users.value, [0.880, 0.733, 0.927, 0.963], atol=5e-4)
    np.testing.assert_allclose(estimates.users.half_width, [0.074, 0.101, 0.040, 0.021], atol=5e-4)
    np.testing.assert_allclose(estimates.producers.value, [0.749, 0.847, 0.935, 0.962], atol=1e-3)
    np.testing.assert_allclose(estimates.producers.half_width, [0.214, 0.255, 0.034, 0.018], atol=5e-3)
    assert estimates.area.value[0] == pytest.approx(21158, abs=1)
    assert estimates.area.half_width[0] == pytest.approx(6158, abs=1)


def test_areas_add_up_to_the_map():
    assert stratified_estimates(COUNTS, STRATA_PX).area.value.sum() == pytest.approx(STRATA_PX.sum())


def test_a_perfect_map_has_no_error():
    estimates = stratified_estimates(np.diag([30, 40]), np.array([1000, 3000]), 0.01)
    assert estimates.overall.value == 1
    assert estimates.overall.half_width == 0
    np.testing.assert_allclose(estimates.area.value, [10, 30])
    np.testing.assert_allclose(estimates.producers.half_width, 0)


def test_coverage_of_the_95_percent_interval():
    rng = np.random.default_rng(3)
    share = np.array([[0.8, 0.2], [0.1, 0.9]])
    strata = np.array([20000, 80000])
    truth = (strata[:, None] * share).sum(0)
    covered = []
    for _ in range(400):
        counts = np.stack([rng.multinomial(60, row) for row in share])
        area = stratified_estimates(counts, strata).area
        covered.append(abs(area.value[0] - truth[0]) <= area.half_width[0])
    assert 0.91 <= np.mean(covered) <= 0.98


def test_class_without_reference_units_has_no_producers_accuracy():
    estimates = stratified_estimates(np.array([[5, 0], [5, 0]]), np.array([10, 10]))
    assert np.isnan(estimates.producers.value[1])
    assert estimates.area.value[1] == 0


def test_one_unit_in_a_stratum_is_too_few():
    with pytest.raises(ValueError, match=r"strata \[1\] have fewer than 2 sample units"):
        stratified_estimates(np.array([[5, 0], [0, 1]]), np.array([10, 10]))
