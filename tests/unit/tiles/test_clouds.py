import math

import numpy as np
import pytest
from scipy import ndimage

from clairemap.artefacts.statistics import BandStatistics
from clairemap.tiles.clouds import RIM_OPACITY, BandRange, paint_clouds

SCALE = BandRange((200.0, 0.02), (3200.0, 0.42), math.inf)
SEEDS = range(6)


def ground(height: int = 128, width: int = 128):
    """Two bands of one random ground, in integers' range and as reflectance."""
    share = np.random.default_rng(0).random((height, width), np.float32)
    return np.stack([200 + 3000 * share, 0.02 + 0.4 * share]).astype(np.float32)


def paint(coverage: float, seed: int, optical: np.ndarray | None = None, scale: BandRange = SCALE):
    return paint_clouds(ground() if optical is None else optical, scale, coverage, np.random.default_rng(seed))


@pytest.mark.parametrize("shape", [(128, 128), (512, 512), (37, 201), (1, 5)])
@pytest.mark.parametrize("coverage", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_mask_covers_the_given_share(shape: tuple[int, int], coverage: float):
    for seed in SEEDS:
        sky = paint(coverage, seed, ground(*shape))
        assert sky.mask.shape == shape
        assert sky.mask.mean() == pytest.approx(coverage, abs=0.5 / sky.mask.size + 1e-3)


def test_equal_generators_paint_equal_clouds_and_others_do_not():
    assert np.array_equal(paint(0.5, 3).optical, paint(0.5, 3).optical)
    masks = {paint(0.5, seed).mask.tobytes() for seed in range(20)}
    assert len(masks) == 20


def test_input_bands_are_not_modified():
    before = ground()
    paint(0.5, 1, before)
    assert np.array_equal(before, ground())


@pytest.mark.parametrize("seed", SEEDS)
def test_ground_off_the_mask_is_hardly_changed_and_on_it_is(seed: int):
    optical = ground()
    sky = paint(0.5, seed)
    for band, before, dark, bright in zip(sky.optical, optical, SCALE.dark, SCALE.bright, strict=True):
        change = np.abs(band - before) / (bright - dark)
        assert change[~sky.mask].max() < 2.6 * RIM_OPACITY  # a uniform veil of 2.5 times bright ground
        assert np.median(change[sky.mask]) > 0.15
    contrast = [np.polyfit(optical[0][where], sky.optical[0][where], 1)[0] for where in (sky.mask, ~sky.mask)]
    assert contrast[0] < 0.8 < 0.85 < contrast[1] <= 1.05


@pytest.mark.parametrize("seed", SEEDS)
def test_clouds_are_bright_and_shadows_dark_in_every_band(seed: int):
    optical = ground(256, 256)
    sky = paint(0.5, seed, optical)
    for band, before, dark, bright in zip(sky.optical, optical, SCALE.dark, SCALE.bright, strict=True):
        span = bright - dark
        brighter, darker = band > bright + 0.25 * span, band < before - 0.1 * span
        assert brighter.mean() > 0.05
        assert darker.mean() > 0.02
        assert sky.mask[brighter | darker].all()
        assert band.min() >= dark - 1e-5 * bright
    assert np.corrcoef(sky.optical[0][sky.mask], sky.optical[1][sky.mask])[0, 1] > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_shadows_are_clouds_displaced_one_way(seed: int):
    flat = np.full((2, 256, 256), [[[1700.0]], [[0.22]]], np.float32)
    change = paint(0.4, seed, flat).optical[0] - flat[0]
    clouds, shadows = np.clip(change, 0, None), np.clip(-change, 0, None)
    spectrum = np.fft.rfft2(clouds - clouds.mean()).conj() * np.fft.rfft2(shadows - shadows.mean())
    likeness = np.fft.fftshift(np.fft.irfft2(spectrum, (256, 256))) / (256**2 * clouds.std() * shadows.std())
    y, x = np.unravel_index(likeness.argmax(), likeness.shape)
    assert 4 <= math.hypot(y - 128, x - 128) <= 90
    assert likeness.max() > 0.25


def test_an_overcast_sky_hides_the_ground():
    for seed in SEEDS:
        optical, sky = ground(), paint(1.0, seed)
        assert sky.mask.all()
        assert np.all(sky.optical[0] > SCALE.bright[0])
        assert abs(np.polyfit(optical[0].ravel(), sky.optical[0].ravel(), 1)[0]) < 0.06
        assert sky.optical[0].std() > 0.03 * sky.optical[0].mean()  # but the tops are shaded


def test_clouds_have_sizes_and_edges_of_many_kinds():
    pieces = [ndimage.label(paint(0.3, seed, ground(256, 256)).mask)[1] for seed in range(20)]
    assert min(pieces) < 12 and max(pieces) > 60


@pytest.mark.parametrize("coverage", [0.5, 1.0])
def test_values_of_images_stay_in_the_range_of_their_type(coverage: float):
    scale = BandRange((10.0, 10.0), (240.0, 120.0), 255.0)
    picture = np.random.default_rng(0).integers(0, 256, (2, 128, 128)).astype(np.float32)
    skies = np.stack([paint(coverage, seed, picture, scale).optical for seed in SEEDS])
    assert skies.min() >= 0
    assert skies.max() <= 255
    if coverage == 1.0:
        assert np.mean(skies > 252) < 0.1  # no large saturated areas


def test_nan_pixels_stay_and_do_not_spread():
    optical = ground()
    optical[:, 10:20, 30:40] = np.nan
    hole = np.isnan(optical)
    assert np.array_equal(np.isnan(paint(0.5, 2, optical).optical), hole)
    clear = paint(0.5, 2).optical
    assert np.array_equal(paint(0.5, 2, optical).optical[~hole], clear[~hole])


def test_the_range_of_bands_comes_from_their_statistics_and_their_type():
    statistics = BandStatistics(("a", "b"), (5.0, 7.0), (2.0, 1.0), (1.0, 7.0), (9.0, 7.0))
    assert BandRange.of(statistics, "uint8") == BandRange((1.0, 7.0), (9.0, 8.0), 255.0)
    assert BandRange.of(statistics, "float32").ceiling == math.inf


def test_wrong_coverages_and_scales_are_errors():
    for coverage in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=f"coverage {coverage} is outside"):
            paint(coverage, 0)
    with pytest.raises(ValueError, match="1 bands, but scale has 2"):
        paint(0.5, 0, ground()[:1])
