import numpy as np
import pytest

from clairemap.tiles.augmentation import (
    Turn,
    cloud_masked,
    holed,
    holed_if_labels_stay,
    seen_by,
    turned,
    without,
    without_if_others_see,
)
from clairemap.tiles.crops import Crop

TURNS = [Turn(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


def crop():
    """A 2 x 2 crop: optical sees the upper row, SAR the left column; the label is 3 where either does."""
    y, x = np.mgrid[:2, :2]
    ramp = (2 * y + x).astype(np.float32)
    return Crop(
        optical=np.stack([ramp, 10 + ramp]),
        sar=(100 + ramp)[None],
        optical_weight=np.array([[[1, 1], [0, 0]]], np.float32),
        sar_weight=np.array([[[1, 0], [1, 0]]], np.float32),
        target=np.array([[3, 3], [3, 255]], np.uint8),
    )


@pytest.mark.parametrize("turn", TURNS)
def test_all_layers_turn_alike(turn: Turn):
    before, after = crop(), turned(crop(), turn)
    order = after.optical[0].astype(int)  # the ramp numbers the pixels
    assert sorted(order.flat) == [0, 1, 2, 3]
    for name in ("optical", "sar", "optical_weight", "sar_weight", "target"):
        layer, spun = getattr(before, name), getattr(after, name)
        flat = layer.reshape(*layer.shape[:-2], 4)
        assert np.array_equal(spun, flat[..., order])


def test_the_turns_are_the_eight_symmetries_of_a_square():
    assert len({turned(crop(), turn).optical[0].tobytes() for turn in TURNS}) == 8


def test_without_a_sensor_its_pixels_have_nothing_to_learn():
    no_sar = without(crop(), "sar")
    assert not no_sar.sar_weight.any()
    assert np.array_equal(no_sar.target, [[3, 3], [255, 255]])
    no_optical = without(crop(), "optical")
    assert not no_optical.optical_weight.any()
    assert np.array_equal(no_optical.target, [[3, 255], [3, 255]])
    assert np.array_equal(no_optical.sar_weight, crop().sar_weight)


def test_masked_clouds_take_optical_alone():
    masked = cloud_masked(crop(), np.array([[True, True], [False, False]]))
    assert not masked.optical_weight.any()
    assert np.array_equal(masked.sar_weight, crop().sar_weight)
    assert np.array_equal(masked.target, [[3, 255], [3, 255]])
    assert np.array_equal(
        cloud_masked(crop(), np.array([[False, True], [True, True]])).optical_weight, [[[1, 0], [0, 0]]]
    )


def test_holes_take_the_sensors_named_and_the_target_where_none_is_left():
    upper = np.array([[True, True], [False, False]])
    both = holed(crop(), ("optical", "sar"), upper)
    assert not both.optical_weight.any()
    assert np.array_equal(both.sar_weight, [[[0, 0], [1, 0]]])
    assert np.array_equal(both.target, [[255, 255], [3, 255]])
    sar = holed(crop(), ("sar",), upper)
    assert np.array_equal(sar.optical_weight, crop().optical_weight)
    assert np.array_equal(sar.sar_weight, [[[0, 0], [1, 0]]])
    assert np.array_equal(sar.target, crop().target)  # optical sees the upper row
    for after in (both, sar):
        assert np.array_equal(after.optical, crop().optical) and np.array_equal(after.sar, crop().sar)


def test_holes_that_would_leave_nothing_to_learn_are_not_cut():
    everywhere = np.ones((2, 2), np.bool_)
    assert np.array_equal(holed_if_labels_stay(crop(), ("optical", "sar"), everywhere).target, crop().target)
    assert holed_if_labels_stay(crop(), ("optical", "sar"), everywhere).optical_weight.any()
    assert not holed_if_labels_stay(crop(), ("optical",), everywhere).optical_weight.any()


def test_the_only_sensor_that_sees_something_is_not_dropped():
    alone = without(crop(), "sar")
    assert without_if_others_see(alone, "optical") is alone
    assert not without_if_others_see(crop(), "optical").optical_weight.any()
    assert without_if_others_see(alone, None) is alone


def test_views_leave_one_sensor_or_both():
    weights = {
        view: (bool(seen.optical_weight.any()), bool(seen.sar_weight.any()))
        for view in ("fused", "optical", "sar")
        for seen in [seen_by(crop(), view)]
    }
    assert weights == {"fused": (True, True), "optical": (True, False), "sar": (False, True)}
