import numpy as np
import pytest

from clairemap.tiles.augmentation import (
    FlipRotation,
    drop_sensor,
    drop_sensor_if_labelled,
    flip_and_rotate,
    mask_clouds,
    mask_holes,
    mask_holes_if_labelled,
    select_view,
)
from clairemap.tiles.crops import Crop

TURNS = [FlipRotation(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


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
        misleading=np.array([[[1, 0], [0, 0]], [[0, 1], [1, 1]]], np.bool_),
    )


@pytest.mark.parametrize("turn", TURNS)
def test_all_layers_are_rotated_together(turn: FlipRotation):
    before, after = crop(), flip_and_rotate(crop(), turn)
    order = after.optical[0].astype(int)  # the values number the pixels
    assert sorted(order.flat) == [0, 1, 2, 3]
    for name in ("optical", "sar", "optical_weight", "sar_weight", "target", "misleading"):
        layer, spun = getattr(before, name), getattr(after, name)
        flat = layer.reshape(*layer.shape[:-2], 4)
        assert np.array_equal(spun, flat[..., order])


def test_the_turns_are_the_eight_symmetries_of_a_square():
    assert len({flip_and_rotate(crop(), turn).optical[0].tobytes() for turn in TURNS}) == 8


def test_dropping_a_sensor_removes_targets_that_only_it_sees():
    no_sar = drop_sensor(crop(), "sar")
    assert not no_sar.sar_weight.any()
    assert np.array_equal(no_sar.target, [[3, 3], [255, 255]])
    no_optical = drop_sensor(crop(), "optical")
    assert not no_optical.optical_weight.any()
    assert np.array_equal(no_optical.target, [[3, 255], [3, 255]])
    assert np.array_equal(no_optical.sar_weight, crop().sar_weight)


def test_masked_clouds_only_affect_optical():
    masked = mask_clouds(crop(), np.array([[True, True], [False, False]]))
    assert not masked.optical_weight.any()
    assert np.array_equal(masked.sar_weight, crop().sar_weight)
    assert np.array_equal(masked.target, [[3, 255], [3, 255]])
    assert np.array_equal(
        mask_clouds(crop(), np.array([[False, True], [True, True]])).optical_weight, [[[1, 0], [0, 0]]]
    )


def test_holes_affect_the_given_sensors_and_the_target_without_a_sensor():
    upper = np.array([[True, True], [False, False]])
    both = mask_holes(crop(), ("optical", "sar"), upper)
    assert not both.optical_weight.any()
    assert np.array_equal(both.sar_weight, [[[0, 0], [1, 0]]])
    assert np.array_equal(both.target, [[255, 255], [3, 255]])
    sar = mask_holes(crop(), ("sar",), upper)
    assert np.array_equal(sar.optical_weight, crop().optical_weight)
    assert np.array_equal(sar.sar_weight, [[[0, 0], [1, 0]]])
    assert np.array_equal(sar.target, crop().target)  # optical sees the upper row
    for after in (both, sar):
        assert np.array_equal(after.optical, crop().optical) and np.array_equal(after.sar, crop().sar)


def test_holes_that_would_remove_all_labels_are_skipped():
    everywhere = np.ones((2, 2), np.bool_)
    assert np.array_equal(mask_holes_if_labelled(crop(), ("optical", "sar"), everywhere).target, crop().target)
    assert mask_holes_if_labelled(crop(), ("optical", "sar"), everywhere).optical_weight.any()
    assert not mask_holes_if_labelled(crop(), ("optical",), everywhere).optical_weight.any()


def test_the_only_usable_sensor_is_not_dropped():
    alone = drop_sensor(crop(), "sar")
    assert drop_sensor_if_labelled(alone, "optical") is alone
    assert not drop_sensor_if_labelled(crop(), "optical").optical_weight.any()
    assert drop_sensor_if_labelled(alone, None) is alone


def test_views_keep_one_sensor_or_both():
    weights = {
        view: (bool(seen.optical_weight.any()), bool(seen.sar_weight.any()))
        for view in ("fused", "optical", "sar")
        for seen in [select_view(crop(), view)]
    }
    assert weights == {"fused": (True, True), "optical": (True, False), "sar": (False, True)}
