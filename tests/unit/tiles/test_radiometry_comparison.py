import re
from collections.abc import Callable

import numpy as np
import pytest

from clairemap.artefacts.radiometry import Radiometry, TrainingRadiometry
from clairemap.artefacts.radiometry_check import SensorVerdict
from clairemap.tiles.radiometry_comparison import Conversion, Gaussian, compare, compare_bands, misfit
from clairemap.tiles.sensor_radiometry import sensor_radiometry

OPTICAL = ("red", "green", "blue", "nir")
SAR = ("VV", "VH")
Values = np.ndarray


def optical(seed: int, shares: tuple[float, ...] = (0.3, 0.4, 0.3)) -> Values:
    """Return digital numbers (4, pixel) of water, forest and fields in these shares, 10,000 = reflectance 1."""
    rng = np.random.default_rng(seed)
    means = np.array([[300, 250, 900], [400, 400, 900], [450, 300, 600], [150, 2800, 2500]], np.float64)
    cover = rng.choice(3, 20_000, p=shares)
    light = rng.normal(1, 0.1, 20_000)
    return np.clip(means[:, cover] * light + rng.normal(0, 40, (4, 20_000)), 1, None)


def decibels(seed: int) -> Values:
    """Return backscatter (2, pixel) of water and land, VH 7 dB below VV."""
    rng = np.random.default_rng(seed)
    cover = rng.choice(2, 20_000)
    return np.array([[-20, -9], [-27, -16]])[:, cover] + rng.normal(0, 1.5, (2, 20_000))


def compared(scene: Values, training: Values, *more: Values, bands: tuple[str, ...] = OPTICAL, db: bool = False):
    known = [sensor_radiometry(bands, part) for part in (training, *more)]
    return compare_bands(sensor_radiometry(bands, scene), known, decibels=db)


def test_another_scene_of_the_same_sensor_matches():
    found = compared(optical(1), optical(2))
    assert found.verdict == "match" and found.reason == ""
    assert max(found.distance_std) < 0.1 and max(found.beyond_share) < 0.01


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.05, 0.05, 0.9)])
def test_another_mix_of_land_cover_is_not_a_mismatch(shares: tuple[float, ...]):
    assert compared(optical(1, shares), optical(2)).verdict in ("match", "mild")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda v: v + 1000, r"1,000 higher .* perhaps the scene's Sentinel-2 offset"),
        (lambda v: v / 10_000, "10,000 times smaller"),
        (lambda v: v / 10_000 - 0.1, "times smaller"),
        (lambda v: v * 10, "10 times larger"),
        (lambda v: v / 100, "100 times smaller"),
        (lambda v: v[[2, 1, 0, 3]], "values match blue, green, red, nir: perhaps another order"),
        (lambda v: v[[3, 0, 1, 2]], "values match nir, red, green, blue"),
        (lambda v: np.concatenate([np.full_like(v[:1], 7), v[1:]]), "red has the value 7 in all pixels"),
        (lambda v: v + 40_000, "training scenes"),
        (lambda v: np.concatenate([v[:3], v[3:] / 10_000]), "maximum of nir is only .* some bands have a scale tag"),
    ],
)
def test_wrong_values_are_found_and_named(fault: Callable[[Values], Values], words: str):
    found = compared(fault(optical(1)), optical(2))
    assert found.verdict == "mismatch"
    assert _matches(words, found)


def _matches(words: str, found: SensorVerdict) -> bool:
    assert re.search(words, found.reason), found.reason
    return True


def test_an_offset_only_in_training_is_found():
    found = compared(optical(1), optical(2) + 1000, optical(3) + 1000)
    assert found.verdict == "mismatch" and "lower than in the training scenes" in found.reason
    assert "the training scenes' Sentinel-2 offset" in found.reason


def test_an_offset_that_some_training_scenes_have_is_accepted():
    assert compared(optical(1) + 1000, optical(2), optical(3) + 1000).verdict != "mismatch"


def test_reflectances_have_offsets_of_a_tenth():
    found = compared(optical(1) / 1e4 + 0.1, optical(2) / 1e4)
    assert found.verdict == "mismatch" and "0.1 higher" in found.reason


def test_swapped_bands_are_found_among_many():
    names = tuple(f"B{number}" for number in range(8))
    rng = np.random.default_rng(0)
    spectrum = np.array([500, 700, 650, 1100, 2400, 2700, 1900, 1000.0])[:, None]

    def scene(seed: int) -> Values:
        noise = np.random.default_rng(seed)
        return spectrum * noise.normal(1, 0.15, 5000) + noise.normal(0, 60, (8, 5000))

    order = rng.permutation(8)
    assert compared(scene(1), scene(2), bands=names).verdict == "match"
    assert compared(scene(1)[::-1], scene(2), bands=names).verdict == "mismatch"
    assert compared(scene(1)[[0, 1, 5, 3, 4, 2, 6, 7]], scene(2), bands=names).verdict == "mismatch"
    assert compared(scene(1)[order], scene(2), bands=names).verdict != "match"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda v: 10 ** (v / 10), "no value is below 0 dB"),
        (lambda v: v * 2, "twice"),
        (lambda v: v / 2, "half"),
        (lambda v: v * 100, "a hundred times"),
        (lambda v: -v, "no value is below 0 dB"),
        (lambda v: v[::-1], "values match VH, VV"),
    ],
)
def test_wrong_decibels_are_found_and_named(fault: Callable[[Values], Values], words: str):
    assert compared(decibels(1), decibels(2), bands=SAR, db=True).verdict == "match"
    found = compared(fault(decibels(1)), decibels(2), bands=SAR, db=True)
    assert found.verdict == "mismatch" and words in found.reason


def test_a_mild_difference_is_reported_with_band_and_figures():
    snow = optical(1) * 1.2 + np.array([[1500], [900], [400], [100]])
    found = compared(snow, optical(2))
    assert found.verdict == "mild"
    assert "mean of red is" in found.reason and "training standard deviations" in found.reason


@pytest.mark.parametrize(
    ("value", "verdict", "words"),
    [
        (0, "mild", "at least [45] % of the pixels are 0 in all bands, perhaps untagged nodata"),
        (65535, "mismatch", "at least [45] % of the pixels are 65535 in all bands, saturated or untagged nodata"),
    ],
)
def test_many_pixels_at_one_end_of_the_range_are_reported(value: int, verdict: str, words: str):
    scene = optical(1)
    scene[:, :1000] = value
    found = compared(scene, optical(2))
    assert found.verdict == verdict and re.match(words, found.reason), found
    assert compared(scene, scene).verdict == "match"  # training has them too
    scene = optical(1)
    scene[0, :1000] = value
    assert "in all bands" not in compared(scene, optical(2)).reason


def test_shares_beyond_the_range_are_counted():
    training = np.linspace(0, 1000, 100_001)[None]
    scene = np.linspace(500, 1500, 100_001)[None]
    found = compared(scene, training, bands=("grey",))
    assert found.beyond_share[0] == pytest.approx(0.5, abs=0.005)
    assert found.distance_std[0] == pytest.approx(500 / training.std(), abs=0.01)


def test_misfit_is_the_closed_form_of_one_band():
    one, other = Gaussian(np.array([1.0]), np.array([[4.0]])), Gaussian(np.array([3.0]), np.array([[1.0]]))
    ours, theirs = 4 + 0.02, 1 + 0.02  # in training variances, with the ridge
    expected = (3 - 1) ** 2 / (4 * (ours + theirs)) + np.log((ours / theirs + theirs / ours + 2) / 4) / 4
    assert misfit(one, other) == pytest.approx(expected)
    assert misfit(other, other) == pytest.approx(0, abs=1e-12)


def test_undoing_a_conversion_gives_the_values_back():
    values = optical(1)
    order = (2, 0, 3, 1)
    delivered = (values * 5 + 30)[list(np.argsort(order))]
    undone = Conversion(5, 30, order).undone(Gaussian(delivered.mean(1), np.cov(delivered)))
    np.testing.assert_allclose(undone.mean, values.mean(1))
    np.testing.assert_allclose(undone.covariance, np.cov(values))


def radiometry(name: str, values: Values | None, sar: Values | None = None) -> Radiometry:
    return Radiometry(
        scene=name,
        sar_scale="db",
        optical=None if values is None else sensor_radiometry(OPTICAL, values),
        sar=None if sar is None else sensor_radiometry(SAR, sar),
    )


def test_each_sensor_is_compared_with_the_other_training_scenes():
    training = TrainingRadiometry(scenes=(radiometry("a", optical(1), decibels(1)), radiometry("b", optical(2) + 1000)))
    of_b = compare(training.scenes[1], training)
    assert of_b["optical"].verdict == "mismatch"
    assert of_b["sar"].verdict == "not compared" and "usable pixels in sar" in of_b["sar"].reason
    of_c = compare(radiometry("c", None, decibels(3)), training)
    assert of_c["optical"].verdict == "not compared" and of_c["sar"].verdict == "match"
    alone = TrainingRadiometry(scenes=training.scenes[:1])
    assert compare(training.scenes[0], alone)["optical"].verdict == "not compared"
