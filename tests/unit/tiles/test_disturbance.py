from dataclasses import fields, replace

import numpy as np
import pytest

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.settings import AugmentationSettings, Sensor
from clairemap.tiles.augmentation import drop_sensor
from clairemap.tiles.clouds import BandRange
from clairemap.tiles.crops import NO_OFFSET, Crop, SarOffset
from clairemap.tiles.disturbance import (
    BAND_SHARE,
    CloudCover,
    Disturbance,
    Stream,
    with_clouds,
    with_disturbance,
    with_gain,
    with_speckle,
)

DRAWS = 3000
SIDE = 64
EVERYTHING = AugmentationSettings(
    clouds=0.5,
    cloud_mask_known=0.5,
    speckle=0.5,
    sar_jitter_px=2,
    holes=0.5,
    optical_gain=0.2,
    sar_gain=0.4,
    misleading=0.4,
)
NOTHING = AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=0, holes=0)


def statistics(sar_scale: str = "db"):
    optical = BandStatistics(("red", "nir"), (1000.0, 2000.0), (300.0, 500.0), (400.0, 900.0), (1700.0, 3000.0))
    sar = BandStatistics(("VV",), (-12.0,), (4.0,), (-20.0,), (-5.0,))
    if sar_scale == "digital":
        sar = BandStatistics(("VV",), (90.0,), (40.0,), (20.0,), (180.0,))
    return TrainingStatistics(optical, sar, (1,), 1, ("a",), sar_scale)


STATISTICS = statistics()
SCALE = BandRange.of(STATISTICS.optical, "uint16")


def crop(sar_from: int = 0):
    """A labelled crop with optical everywhere and SAR from one column on."""
    random = np.random.default_rng(0)
    weight = np.ones((1, SIDE, SIDE), np.float32)
    seen = weight.copy()
    seen[..., :sar_from] = 0
    sar = random.normal(-12, 4, (1, SIDE, SIDE)).astype(np.float32)
    sar[..., :sar_from] = np.nan
    optical = random.normal([[[1000]], [[2000]]], [[[300]], [[500]]], (2, SIDE, SIDE)).astype(np.float32)
    target = random.integers(0, 3, (SIDE, SIDE)).astype(np.uint8)
    return Crop(optical, sar, weight, seen, target, np.zeros((2, SIDE, SIDE), np.bool_))


def under(coverage: float, given: bool, dropped: Sensor | None = None, of: Crop | None = None):
    before = crop() if of is None else of
    return with_clouds(before, CloudCover(coverage, given), dropped, SCALE, np.random.default_rng(5))


def same(one: Crop, other: Crop):
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True) for f in fields(Crop))


def drawn(settings: AugmentationSettings = EVERYTHING, seed: int = 0, draws: int = DRAWS):
    return [Disturbance.sample(settings, (seed, number)) for number in range(draws)]


def test_draws_depend_on_seed_and_number():
    assert drawn(draws=50) == drawn()[:50]
    one, other, third = drawn(draws=9)[7], drawn(seed=1, draws=9)[7], drawn(draws=9)[8]
    assert one != other
    assert np.array_equal(one.random(Stream.SAR_GAIN).random(3), one.random(Stream.SAR_GAIN).random(3))
    firsts = [d.random(stream).random() for d in (one, other, third) for stream in Stream]
    assert len(set(firsts)) == len(firsts)


def test_shares_are_those_of_the_settings():
    some = drawn(AugmentationSettings(clouds=0.3, cloud_mask_known=0.2, speckle=0.6, speckle_looks=5, sar_gain=0.1))
    clouds = [d.clouds for d in some if d.clouds]
    assert len(clouds) / DRAWS == pytest.approx(0.3, abs=0.03)
    assert np.mean([cover.mask_is_given for cover in clouds]) == pytest.approx(0.2, abs=0.05)
    assert np.mean([cover.coverage == 1 for cover in clouds]) == pytest.approx(0.5 / 1.4, abs=0.04)
    assert min(cover.coverage for cover in clouds) == pytest.approx(0.1, abs=0.01)
    assert np.mean([d.speckle_looks == 5 for d in some]) == pytest.approx(0.6, abs=0.03)
    assert {d.speckle_looks for d in some} == {None, 5}
    assert {(d.optical_gain, d.sar_gain) for d in some} == {(0, 0.1)}
    assert np.mean([bool(d.holes_in) for d in some]) == pytest.approx(AugmentationSettings().holes, abs=0.03)


def test_holes_are_in_both_sensors_or_in_one():
    found = [d.holes_in for d in drawn(AugmentationSettings(holes=1))]
    for sensors, share in ((("optical", "sar"), 0.5), (("optical",), 0.25), (("sar",), 0.25)):
        assert np.mean([holes_in == sensors for holes_in in found]) == pytest.approx(share, abs=0.03)
    some = [d.holes_in for d in drawn(AugmentationSettings(holes=0.3))]
    assert np.mean([bool(holes_in) for holes_in in some]) == pytest.approx(0.3, abs=0.03)
    assert all(holes_in in ((), every) for holes_in, every in zip(some, found, strict=True))
    assert {d.holes_in for d in drawn(AugmentationSettings(holes=0))} == {()}


@pytest.mark.parametrize(("largest", "reached"), [(0, {0}), (1, {-1, 0, 1}), (2, {-2, -1, 0, 1, 2})])
def test_sar_is_displaced_by_whole_pixels_up_to_the_largest(largest: int, reached: set[int]):
    offsets = [d.sar_offset for d in drawn(AugmentationSettings(sar_jitter_px=largest))]
    assert {o.down_px for o in offsets} == {o.right_px for o in offsets} == reached
    assert np.mean([o.down_px for o in offsets]) == pytest.approx(0, abs=0.1)
    assert len({(o.down_px, o.right_px) for o in offsets}) == len(reached) ** 2


@pytest.mark.parametrize(
    "name", ["clouds", "speckle", "sar_jitter_px", "holes", "optical_gain", "sar_gain", "misleading"]
)
def test_switching_one_kind_off_does_not_change_the_others(name: str):
    parts = {"speckle": "speckle_looks", "sar_jitter_px": "sar_offset", "holes": "holes_in"}
    part = parts.get(name, name)
    without_it = drawn(EVERYTHING.model_copy(update={name: 0}), draws=200)
    kept = getattr(without_it[0], part)
    assert [replace(d, **{part: kept}) for d in drawn(draws=200)] == without_it


def test_without_augmentation_nothing_changes():
    for number in range(20):
        disturbance = Disturbance.sample(NOTHING, (0, number))
        assert disturbance.sar_offset == NO_OFFSET
        assert same(with_disturbance(crop(), disturbance, None, STATISTICS, SCALE), crop())


def test_unused_sensors_are_not_disturbed():
    full = Disturbance((0, 0), CloudCover(0.5, True), 8.0, SarOffset(1, 2), 0.1, 0.2, ("optical", "sar"), "sar")
    assert full.optical_only() == Disturbance((0, 0), CloudCover(0.5, True), None, NO_OFFSET, 0.1, 0.0, ("optical",))
    assert full.sar_only() == Disturbance((0, 0), None, 8.0, NO_OFFSET, 0.0, 0.2, ("sar",))
    assert replace(full, holes_in=("sar",)).optical_only().holes_in == ()


@pytest.mark.parametrize("holes_in", [("optical", "sar"), ("optical",), ("sar",)])
def test_holes_only_change_the_sensors_weights(holes_in: tuple[Sensor, ...]):
    before, hole = crop(sar_from=20), Disturbance((3, 1), holes_in=holes_in)
    after = with_disturbance(before, hole, None, STATISTICS, SCALE)
    assert same(after, with_disturbance(before, hole, None, STATISTICS, SCALE))
    assert np.array_equal(after.optical, before.optical)
    assert np.array_equal(after.sar, before.sar, equal_nan=True)
    cut = {"optical": before.optical_weight > after.optical_weight, "sar": before.sar_weight > after.sar_weight}
    assert {sensor for sensor, pixels in cut.items() if pixels.any()} == set(holes_in)
    gone = (after.optical_weight + after.sar_weight)[0] == 0
    assert np.array_equal(after.target, np.where(gone, 255, before.target))
    assert gone.any() == (holes_in != ("sar",))
    if len(holes_in) == 2:
        assert np.array_equal(cut["sar"], cut["optical"] & (before.sar_weight > 0))
        assert np.array_equal(gone, cut["optical"][0])


def test_another_crop_has_other_holes():
    masks = {
        with_disturbance(
            crop(), Disturbance((0, number), holes_in=("sar",)), None, STATISTICS, SCALE
        ).sar_weight.tobytes()
        for number in range(10)
    }
    assert len(masks) == 10


def test_a_given_mask_sets_optical_weight_to_0_under_clouds():
    before, after = crop(sar_from=20), under(0.5, given=True, of=crop(sar_from=20))
    masked = after.optical_weight[0] == 0
    assert masked.mean() == pytest.approx(0.5, abs=0.01)
    change = np.abs(after.optical - before.optical)[0] / 1300
    assert change[~masked].max() < 0.25 < np.percentile(change[masked], 80)
    assert np.array_equal(after.sar_weight, before.sar_weight)
    nobody = masked & (before.sar_weight[0] == 0)
    assert np.array_equal(after.target == 255, nobody)
    assert np.array_equal(after.target[~nobody], before.target[~nobody])


def test_a_withheld_mask_changes_values_and_marks_optical_as_misleading():
    before, after = crop(sar_from=20), under(0.5, given=False, of=crop(sar_from=20))
    masked = under(0.5, given=True)
    assert np.array_equal(after.optical, masked.optical)
    assert np.array_equal(after.misleading[0], masked.optical_weight[0] == 0) and not after.misleading[1].any()
    assert not masked.misleading.any()
    assert same(replace(after, optical=before.optical, misleading=before.misleading), before)


def test_no_sensor_misleads_if_the_other_is_dropped():
    disturbed = Disturbance((3, 1), misleading="sar")
    assert with_disturbance(crop(), disturbed, None, STATISTICS, SCALE).misleading[1].all()
    assert not with_disturbance(crop(), disturbed, "optical", STATISTICS, SCALE).misleading.any()


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("coverage", [0.3, 1.0])
def test_clouds_and_sar_dropout_never_remove_all_labels_together(given: bool, coverage: float):
    after = under(coverage, given, "sar")
    assert after.has_labels
    assert after.sar_weight.any() == (coverage == 1)
    assert after.optical_weight.any() == (coverage < 1 or not given)
    assert not np.array_equal(after.optical, crop().optical)


@pytest.mark.parametrize("given", [True, False])
def test_clouds_that_would_remove_all_labels_are_skipped(given: bool):
    blind = drop_sensor(crop(), "sar")
    assert same(under(1.0, given, of=blind), blind)
    assert same(under(1.0, given, "sar", of=blind), blind)
    assert not np.array_equal(under(0.5, given, of=blind).optical, blind.optical)


def test_every_crop_keeps_visible_labels():
    sensors: tuple[Sensor | None, ...] = (None, "optical", "sar")
    for disturbance in drawn(draws=60):
        for dropped in sensors:
            limited = disturbance.sar_only() if dropped == "optical" else disturbance
            for of in (crop(), crop(sar_from=SIDE - 1), drop_sensor(crop(), "sar"), drop_sensor(crop(), "optical")):
                after = with_disturbance(of, limited, dropped, STATISTICS, SCALE)
                seen = (after.optical_weight + after.sar_weight)[0] > 0
                assert after.has_labels
                assert np.all(after.target[~seen] == 255)
                assert np.isfinite(after.optical).all()
                assert np.array_equal(np.isfinite(after.sar), np.isfinite(of.sar))


def test_speckle_in_db_is_independent_of_the_level():
    before = crop()
    change = with_speckle(before, 8, STATISTICS, np.random.default_rng(0)).sar - before.sar
    assert (10 ** (change / 10)).mean() == pytest.approx(1, abs=0.03)
    assert (10 ** (change / 10)).std() == pytest.approx(8**-0.5, rel=0.1)
    assert abs(np.corrcoef(change.ravel(), before.sar.ravel())[0, 1]) < 0.06


def test_speckle_of_images_stays_below_their_white():
    picture = np.full((1, SIDE, SIDE), 250, np.float32)
    picture[..., :32] = 60
    picture[0, 0, 0] = np.nan
    weight = np.ones((1, SIDE, SIDE), np.float32)
    weight[0, 0, 0] = 0
    bright = replace(crop(), sar=picture, sar_weight=weight)
    after = with_speckle(bright, 8, statistics("digital"), np.random.default_rng(0)).sar
    assert np.nanmax(after) == 250
    assert np.isnan(after[0, 0, 0]) and np.isnan(after).sum() == 1
    assert np.nanstd(after[..., :32]) / 60 == pytest.approx(0.5 * 8**-0.5, rel=0.1)
    dark = with_speckle(replace(bright, sar=picture * 0.64), 1, statistics("digital"), np.random.default_rng(0)).sar
    assert np.nanmax(dark) == 180  # the percentile of the training tiles


def test_gain_is_mostly_one_stretch_of_all_bands():
    statistics = STATISTICS.optical
    mean, std = (np.array(numbers)[:, None, None] for numbers in (statistics.mean, statistics.std))
    before, found = crop().optical, []
    for seed in range(200):
        after = with_gain(before, 0.5, statistics, np.random.default_rng(seed))
        assert np.array_equal(np.isnan(after), np.isnan(before))
        lines = [
            np.polyfit(b[np.isfinite(b)], a[np.isfinite(b)], 1)
            for b, a in zip((before - mean) / std, (after - mean) / std, strict=True)
        ]
        found.append([(np.log(slope), level) for slope, level in lines])
    drawn_gains = np.array(found)  # (crop, band, contrast and brightness)
    assert 0.5 < np.abs(drawn_gains).max() < 0.5 * (1 + BAND_SHARE) + 1e-3
    assert drawn_gains.mean(axis=(0, 1)) == pytest.approx((0, 0), abs=0.07)
    between_bands = np.diff(drawn_gains, axis=1)
    assert 0 < np.abs(between_bands).max() < 2 * 0.5 * BAND_SHARE + 1e-3
