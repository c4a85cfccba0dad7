import numpy as np
import pytest

from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.tiles.crops import Crop
from clairemap.tiles.misleading import mislead, with_misleading

SIDE = 40
OPTICAL = BandStatistics(("red", "nir"), (100, 300), (10, 50), (80, 200), (120, 400))
SAR = BandStatistics(("VV",), (-12,), (3,), (-18,), (-6,))
STATISTICS = TrainingStatistics(OPTICAL, SAR, (1,), 1, ("a",), "db")


def crop() -> Crop:
    random = np.random.default_rng(0)
    optical = np.array([100, 300])[:, None, None] + np.array([10, 50])[:, None, None] * random.normal(
        size=(2, SIDE, SIDE)
    )
    sar = -12 + 3 * random.normal(size=(1, SIDE, SIDE))
    optical_weight, sar_weight = np.ones((2, 1, SIDE, SIDE), np.float32)
    optical_weight[:, :5] = 0
    optical[:, :5] = np.nan
    return Crop(
        optical.astype(np.float32),
        sar.astype(np.float32),
        optical_weight,
        sar_weight,
        np.ones((SIDE, SIDE), np.uint8),
        np.zeros((2, SIDE, SIDE), np.bool_),
    )


@pytest.mark.parametrize(("sensor", "index"), [("optical", 0), ("sar", 1)])
def test_only_the_sensor_changes_and_its_usable_pixels_are_marked(sensor: str, index: int):
    before, kinds = crop(), set()
    for seed in range(30):
        after = with_misleading(before, sensor, STATISTICS, np.random.default_rng(seed))
        other = "sar" if sensor == "optical" else "optical"
        usable = getattr(before, f"{sensor}_weight")[0] > 0
        assert np.array_equal(getattr(after, other), getattr(before, other), equal_nan=True)
        for layer in ("optical_weight", "sar_weight", "target"):
            assert np.array_equal(getattr(after, layer), getattr(before, layer))
        assert np.array_equal(after.misleading[index], usable) and not after.misleading[1 - index].any()
        own, old = getattr(after, sensor)[:, usable], getattr(before, sensor)[:, usable]
        assert own.dtype == np.float32 and np.isfinite(own).all()
        correlation = np.corrcoef(own[0], old[0])[0, 1]
        if len(own) == 2 and np.array_equal(own, old[::-1]):
            kinds.add("bands")
        else:
            kinds.add("stretch" if abs(correlation) > 0.999 else "noise" if correlation > 0.3 else "displaced")
        assert not np.allclose(own, old)
    assert kinds == {"stretch", "noise", "displaced"} | ({"bands"} if sensor == "optical" else set())


def test_a_wrong_stretch_is_far_from_the_right_one():
    found = []
    for seed in range(60):
        after = with_misleading(crop(), "sar", STATISTICS, np.random.default_rng(seed)).sar.ravel()
        slope, level = np.polyfit((crop().sar.ravel() + 12) / 3, (after + 12) / 3, 1)
        if abs(np.corrcoef(crop().sar.ravel(), after)[0, 1]) > 0.999:
            found.append((round(slope, 3), abs(level)))
    assert {slope for slope, _ in found} == {-1.0, 0.2, 3.0}
    assert all(0.99 < level < 3.01 for _, level in found)


def test_marks_add_up_and_leave_the_crop_given_unchanged():
    first, where = crop(), np.zeros((SIDE, SIDE), np.bool_)
    where[:, :7] = True
    once = mislead(first, "optical", where)
    twice = mislead(once, "sar", ~where)
    assert not first.misleading.any()
    assert np.array_equal(twice.misleading[0], where & (first.optical_weight[0] > 0))
    assert np.array_equal(twice.misleading[1], ~where)
