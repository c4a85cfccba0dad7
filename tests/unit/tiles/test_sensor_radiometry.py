import numpy as np

from clairemap.artefacts.radiometry import (
    LEVELS_PCT,
    Radiometry,
    TrainingRadiometry,
)
from clairemap.grid.tiles import tiles
from clairemap.tiles.sensor_radiometry import (
    MIN_RADIOMETRY_PX,
    RADIOMETRY_SAMPLE_PX,
    Sampler,
    pool,
    sensor_radiometry,
    standard_deviations,
)

BANDS = ("red", "nir")


def values(pixels: int = 40_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    red = rng.gamma(4, 100, pixels)
    return np.stack([red, 3 * red + rng.normal(0, 50, pixels)])


def test_figures_are_those_of_the_pixels():
    pixels = values()
    found = sensor_radiometry(BANDS, pixels)
    assert found.pixels == 40_000
    np.testing.assert_allclose(found.mean, pixels.mean(1), rtol=1e-6)
    np.testing.assert_allclose(found.covariance, np.cov(pixels, bias=True), rtol=1e-6)
    np.testing.assert_allclose(found.quantiles, np.percentile(pixels, LEVELS_PCT, axis=1).T, rtol=1e-6)
    np.testing.assert_allclose([found.floor, found.ceiling], [pixels.min(1), pixels.max(1)], rtol=1e-6)


def test_one_band_has_a_covariance_too():
    found = sensor_radiometry(("VV",), values()[:1])
    np.testing.assert_allclose(standard_deviations(found), [values()[0].std()], rtol=1e-6)


def test_figures_do_not_depend_on_blocks_or_unusable_pixels():
    shape = (700, 900)
    scene = values(shape[0] * shape[1]).reshape(2, *shape)
    usable = np.random.default_rng(1).random(shape) < 0.5
    scene[:, ~usable] = -9999
    found = []
    for side in (128, 256, 1000):
        sampler = Sampler(shape)
        for tile in tiles(shape, side):
            sampler.add(tile.window, scene[:, *tile.window.slices], usable[tile.window.slices])
        found.append(sampler.radiometry(BANDS))
    sampled = sorted(one.pixels for one in found if one)
    assert sampled[0] == sampled[-1] <= RADIOMETRY_SAMPLE_PX  # the order of the pixels may change the last digit
    for one in found:
        assert one is not None and found[0] is not None and min(one.floor) > -9999
        np.testing.assert_allclose(one.quantiles, found[0].quantiles, rtol=1e-5)
        np.testing.assert_allclose(one.mean, found[0].mean, rtol=1e-5)


def test_too_few_pixels_have_no_radiometry():
    sampler = Sampler((10, 10))
    sampler.add(next(tiles((10, 10), 10)).window, np.ones((2, 10, 10)), np.ones((10, 10), bool))
    assert MIN_RADIOMETRY_PX > 100 and sampler.radiometry(BANDS) is None


def test_scenes_pooled_are_their_mixture():
    parts = [values(30_000, 1), values(60_000, 2) * 2 + 500]
    found = pool([sensor_radiometry(BANDS, part) for part in parts])
    whole = np.concatenate(parts, axis=1)
    np.testing.assert_allclose(found.mean, whole.mean(1), rtol=1e-5)
    np.testing.assert_allclose(found.covariance, np.cov(whole, bias=True), rtol=1e-5)
    # Interpolation between levels has small errors, largest at the ends.
    np.testing.assert_allclose(found.quantiles, np.percentile(whole, LEVELS_PCT, axis=1).T, rtol=0.06)


def test_a_scene_is_not_compared_with_itself():
    known = [Radiometry(scene=name, sar_scale="db", optical=None, sar=None) for name in "ab"]
    assert [one.scene for one in TrainingRadiometry(scenes=tuple(known)).without("a")] == ["b"]


def test_many_scenes_are_pooled_as_exactly_as_few():
    rng = np.random.default_rng(0)
    parts = [rng.gamma(4, 100, (1, 2000)) + shift for shift in rng.normal(300, 100, 200)]
    found = pool([sensor_radiometry(("red",), part) for part in parts])
    whole = np.concatenate(parts, axis=1)[0]
    expected, std = np.percentile(whole, LEVELS_PCT), whole.std()
    np.testing.assert_allclose(found.quantiles[0][2:-2], expected[2:-2], atol=0.03 * std)
    np.testing.assert_allclose(found.quantiles[0], expected, atol=0.2 * std)  # values beyond 99.9 % are not stored
