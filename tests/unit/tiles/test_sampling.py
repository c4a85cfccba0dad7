from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.grid.window import Window
from clairemap.settings import AugmentationSettings, TrainingSettings
from clairemap.tiles.augmentation import FlipRotation
from clairemap.tiles.crops import NO_OFFSET
from clairemap.tiles.disturbance import Disturbance
from clairemap.tiles.sampling import ClassPixel, CropPlan, CropPosition, CropSampler, crop_window, spread_evenly
from clairemap.tiles.split_assignment import LabelledTile

TILES = (
    LabelledTile("a", Window(0, 0, 256, 256), (900, 0, 100)),
    LabelledTile("a", Window(0, 256, 256, 256), (3000, 0, 0)),
    LabelledTile("b", Window(0, 0, 256, 256), (0, 0, 300)),
)
DRAWS = 2000
AUGMENTATION = AugmentationSettings(clouds=0.5, speckle=0.5, sar_jitter_px=2, optical_gain=0.1, sar_gain=0.1)
UNDISTURBED = Disturbance((0, 0))


def sampler(
    tiles: tuple[LabelledTile, ...] = TILES,
    seed: int = 0,
    augmentation: AugmentationSettings = AUGMENTATION,
    **values: float,
):
    return CropSampler(tiles, TrainingSettings(**values), augmentation, seed)


def plans(**values: float):
    drawn = sampler(**values)
    return [drawn.plan(number) for number in range(DRAWS)]


def share(plans: list[CropPlan], condition: Callable[[CropPlan], bool]):
    return sum(map(condition, plans)) / len(plans)


def test_a_crop_depends_only_on_seed_and_number():
    forwards = plans()
    backwards = sampler()
    assert [backwards.plan(number) for number in reversed(range(DRAWS))] == forwards[::-1]
    assert plans(seed=1) != forwards
    assert len(set(forwards)) > DRAWS / 2


def test_rare_classes_are_drawn_as_often_as_others():
    rare = plans(rare_class_share=1.0)
    assert share(rare, lambda plan: plan.aim.class_index == 2) == pytest.approx(0.5, abs=0.04)
    assert share(rare, lambda plan: plan.aim.class_index == 1) == 0  # it never occurs
    of_class_2 = [plan for plan in rare if plan.aim.class_index == 2]
    assert share(of_class_2, lambda plan: plan.tile.scene == "b") == pytest.approx(0.75, abs=0.05)
    assert {plan.aim.rank for plan in of_class_2 if plan.tile == TILES[0]} <= set(range(100))
    assert share(of_class_2, lambda plan: plan.aim.rank < 50) == pytest.approx(50 / 400 + 50 / 400, abs=0.05)


def test_other_crops_are_in_labelled_tiles():
    anywhere = plans(rare_class_share=0.0)
    assert all(isinstance(plan.aim, CropPosition) for plan in anywhere)
    assert share(anywhere, lambda plan: plan.tile == TILES[1]) == pytest.approx(3000 / 4300, abs=0.04)
    assert share(plans(rare_class_share=0.3), lambda plan: isinstance(plan.aim, ClassPixel)) == pytest.approx(
        0.3, abs=0.04
    )


def test_turns_and_dropped_sensors_are_drawn_evenly():
    drawn = plans(sensor_dropout=0.4)
    for turn in (FlipRotation(0, False), FlipRotation(3, True)):
        assert share(drawn, lambda plan, turn=turn: plan.turn == turn) == pytest.approx(1 / 8, abs=0.03)
    for sensor in ("optical", "sar"):
        assert share(drawn, lambda plan, sensor=sensor: plan.dropped == sensor) == pytest.approx(0.2, abs=0.03)
    assert share(plans(sensor_dropout=0.0), lambda plan: plan.dropped is None) == 1


def test_changing_one_share_does_not_change_the_other_draws():
    some, none = plans(sensor_dropout=0.4), plans(sensor_dropout=0.0)
    assert [(plan.tile, plan.aim, plan.turn) for plan in some] == [(plan.tile, plan.aim, plan.turn) for plan in none]


def test_disturbances_only_change_themselves_and_differ_between_crops():
    calm = sampler(augmentation=AugmentationSettings(clouds=0, speckle=0, sar_jitter_px=0, holes=0))
    wild = plans()
    places = [(plan.tile, plan.aim, plan.turn, plan.dropped) for plan in wild]
    assert places == [
        (plan.tile, plan.aim, plan.turn, plan.dropped) for plan in (calm.plan(number) for number in range(DRAWS))
    ]
    assert len({plan.disturbance.seed for plan in wild}) == DRAWS
    assert wild[3].disturbance == Disturbance.sample(AUGMENTATION, (0, 3))


def test_single_sensor_plans_have_no_dropout_or_displacement():
    for plan in plans(sensor_dropout=0.5)[:300]:
        optical, sar, fused = plan.limited_to("optical"), plan.limited_to("sar"), plan.limited_to("fused")
        assert optical.dropped is sar.dropped is None
        assert optical.disturbance == plan.disturbance.optical_only()
        assert sar.disturbance == plan.disturbance.sar_only()
        assert fused.dropped == plan.dropped
        if plan.dropped == "optical":
            assert fused.disturbance.clouds is None and fused.disturbance.sar_offset == NO_OFFSET
        else:
            assert fused == plan
        assert {(p.tile, p.aim, p.turn) for p in (optical, sar, fused)} == {(plan.tile, plan.aim, plan.turn)}


def test_a_sampler_without_labels_is_an_error():
    with pytest.raises(NoTrainingDataError, match="splits"):
        sampler(tiles=())


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    down=st.floats(0, 1, exclude_max=True),
    right=st.floats(0, 1, exclude_max=True),
    pixel=st.integers(0, 10**6),
)
def test_crops_are_inside_their_tile_and_contain_their_centre_pixel(
    height: int, width: int, down: float, right: float, pixel: int
):
    tile = LabelledTile("a", Window(512, 256, height, width), (height * width - 1, 1))
    target = np.zeros((height, width), np.uint8)
    y, x = divmod(pixel % (height * width), width)
    target[y, x] = 1
    for aim in (CropPosition(down, right), ClassPixel(1, 0)):
        window = crop_window(CropPlan(tile, aim, FlipRotation(0, False), None, UNDISTURBED), target, 128)
        assert window.shape == (min(128, height), min(128, width))
        assert window.intersection(tile.window) == window
        if isinstance(aim, ClassPixel):
            assert window.intersection(Window(512 + y, 256 + x, 1, 1)).shape == (1, 1)


def test_centre_pixels_are_in_the_middle_where_possible():
    tile = LabelledTile("a", Window(0, 0, 256, 256), (256 * 256 - 2, 2))
    target = np.zeros((256, 256), np.uint8)
    target[10, 10] = target[100, 150] = 1
    window = crop_window(CropPlan(tile, ClassPixel(1, 1), FlipRotation(0, False), None, UNDISTURBED), target, 128)
    assert window == Window(100 - 64, 150 - 64, 128, 128)


def test_all_positions_are_reached():
    tile = LabelledTile("a", Window(0, 0, 130, 129), (130 * 129,))
    target = np.zeros((130, 129), np.uint8)
    seen = {
        (window.y0, window.x0)
        for down in (0, 0.4, 0.99)
        for right in (0, 0.99)
        for window in [
            crop_window(
                CropPlan(tile, CropPosition(down, right), FlipRotation(0, False), None, UNDISTURBED), target, 128
            )
        ]
    }
    assert seen == {(y, x) for y in range(3) for x in range(2)}


def test_labels_that_differ_from_the_index_are_an_error():
    tile = LabelledTile("a", Window(0, 0, 4, 4), (10, 6))
    plan = CropPlan(tile, ClassPixel(1, 5), FlipRotation(0, False), None, UNDISTURBED)
    with pytest.raises(StoreError, match="0 pixels of class index 1, but 6 in the tile index"):
        crop_window(plan, np.zeros((4, 4), np.uint8), 4)


def test_tiles_are_spread_evenly():
    tiles = [LabelledTile(str(number), Window(0, 0, 1, 1), (1,)) for number in range(10)]
    assert [tile.scene for tile in spread_evenly(tiles, 4)] == ["0", "2", "5", "7"]
    assert spread_evenly(tiles, 20) == tuple(tiles)
