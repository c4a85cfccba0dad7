import json

import numpy as np
import pytest

from clairemap.artefacts.metrics import RegionMetrics
from clairemap.artefacts.radiometry_check import RadiometryCheck, SensorVerdict
from clairemap.classes import LandCoverClass, Legend
from clairemap.metrics.bootstrap import BlockSums
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.cautions import cautions
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.class_support import class_support
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.metrics.map_counts import MapCounts, summed
from clairemap.metrics.region_metrics import Sums, Views, region_metrics, scope
from clairemap.metrics.tally import Tally

LEGEND = Legend(classes=(LandCoverClass(code=10, name="water"), LandCoverClass(code=20, name="forest")), ignore=(0,))
AREAS = ClassAreas(np.array([30, 10]), np.array([3000.0, 1000.0]), "in the plane")


def counted(matrix: list[list[int]], unmapped_px: int = 0, tiles: int = 1) -> Tally:
    return Tally(np.array(matrix), Calibration.empty(), unmapped_px, tiles)


def document(sums: Sums, views: Views | None = None, training_px: tuple[int, ...] = ()) -> RegionMetrics:
    return region_metrics("valley", sums, views or {}, AREAS, LEGEND, {"clairemap_version": "x"}, training_px)


def test_headline_is_the_test_split_where_there_is_one():
    found = document({("a", "train"): counted([[5, 5], [5, 5]]), ("b", "test"): counted([[8, 0], [0, 8]])})
    assert found.split == "test"
    assert found.miou == 1
    assert found.splits["train"].oa == 0.5
    assert found.scenes["a"].tile_splits == ("train",)


@pytest.mark.parametrize(
    ("splits", "headline"),
    [(("train", "val"), "val"), (("train", "buffer"), "train"), (("train", "predict"), "predict")],
)
def test_headline_falls_back(splits: tuple[str, ...], headline: str):
    assert document({("a", split): counted([[1, 0], [0, 1]]) for split in splits}).split == headline


def test_scene_includes_its_tiles_of_all_splits():
    found = document({("a", "train"): counted([[5, 0], [0, 5]]), ("a", "test"): counted([[0, 5], [5, 0]])})
    assert found.scenes["a"].oa == 0.5
    assert found.scenes["a"].tile_splits == ("test", "train")


def test_without_labels_figures_are_null_and_the_reason_is_given():
    found = json.loads(document({}).model_dump_json())
    assert found["miou"] is None
    assert found["oa"] is None
    assert found["split"] is None
    assert found["reason"] == "no labelled pixels"
    assert found["splits"] == found["scenes"] == found["views"] == {}
    assert [row["map_ha"] for row in found["areas"]] == pytest.approx([0.3, 0.1])
    assert [row["share"] for row in found["areas"]] == [0.75, 0.25]


def test_labels_only_on_unmapped_pixels_have_their_own_reason():
    assert (
        scope(counted([[0, 0], [0, 0]], unmapped_px=9), LEGEND).reason
        == "none of the 9 labelled pixels could be mapped"
    )


def test_undefined_figures_are_null_in_json():
    text = document({("a", "test"): counted([[5, 0], [0, 0]])}).model_dump_json()
    assert "NaN" not in text
    found = json.loads(text)
    assert found["classes_averaged"] == ["water"]
    assert found["per_class"][1]["iou"] is None
    assert found["ignored"] == [0]
    assert found["per_class"][0]["name"] == "water"
    assert found["per_class"][0]["code"] == 10


def test_headline_is_a_split_with_enough_pixels():
    few, many = counted([[49, 0], [0, 50]]), counted([[90, 10], [0, 0]])
    found = document({("b", "test"): few, ("a", "val"): many})
    assert found.split == "val"
    assert (found.splits["test"].too_few, found.splits["val"].too_few) == (True, False)
    assert [row.too_few for row in found.per_class] == [False, True]
    assert found.smallest_truth_px == 100


def test_caution_on_classes_without_training_pixels():
    found = document({("a", "test"): counted([[200, 0], [300, 0]])}, training_px=(5000, 0))
    assert [(row.training_px, row.learning) for row in found.learnt] == [(5000, "enough"), (0, "unseen")]
    assert len(found.cautions) == 1
    assert "The training data had no pixels of the class forest" in found.cautions[0]
    assert "include 300 pixels of forest" in found.cautions[0]


def test_caution_on_classes_that_are_never_mapped_correctly():
    assert document({("a", "test"): counted([[200, 0], [300, 0]])}).cautions == (
        "None of the scored pixels labelled forest (300) are mapped correctly.",
    )
    assert document({("a", "test"): counted([[200, 0], [99, 0]])}).cautions == ()


def test_caution_on_classes_with_few_training_pixels():
    found = document({("a", "test"): counted([[200, 0], [0, 300]])}, training_px=(999, 1000))
    assert [row.learning for row in found.learnt] == ["few", "enough"]
    assert "fewer than 1,000 pixels of the class water (water 999)" in found.cautions[0]


def test_no_caution_on_training_without_model_card():
    found = document({("a", "test"): counted([[200, 0], [0, 300]])})
    assert (found.learnt, found.cautions) == ((), ())


GOOD, WEAK = counted([[190, 10], [10, 190]]), counted([[150, 50], [50, 150]])


def test_caution_on_a_scene_where_both_sensors_score_below_one():
    views = {("a", "fused"): GOOD, ("a", "optical"): WEAK, ("a", "sar"): WEAK}
    views |= {("b", "fused"): WEAK, ("b", "optical"): WEAK, ("b", "sar"): GOOD}
    found = document({("a", "test"): GOOD, ("b", "test"): WEAK}, views)
    assert [(e.scene, e.sensor, e.figure, e.pixels) for e in found.below_single_sensor] == [
        ("b", "sar", "mIoU", 400),
        ("b", "sar", "OA", 400),
    ]
    assert found.cautions == (
        "On scene b, the map from both sensors scores 30.5 points of mIoU and 20.0 points of OA below SAR alone "
        "(mIoU 60.0 % instead of 90.5 % and OA 75.0 % instead of 95.0 %, on 400 labelled pixels seen by both sensors).",
    )
    assert found.scenes["b"].views["sar"].oa == 0.95
    assert found.scenes["a"].views["fused"].miou == pytest.approx(190 / 210)
    assert found.views["fused"].pixels == 800


def test_all_scenes_together_are_compared_too():
    views = {(s, v): c for s in "ab" for v, c in (("fused", WEAK), ("optical", WEAK), ("sar", GOOD))}
    found = document({(s, "test"): WEAK for s in "ab"}, views)
    assert [text.split(", the map")[0] for text in found.cautions] == [
        "On all compared scenes together",
        "On scene a",
        "On scene b",
    ]


def test_stray_pixels_of_another_class_do_not_affect_the_comparison():
    views = {("a", "fused"): counted([[9000, 0], [1, 0]]), ("a", "sar"): counted([[9000, 0], [0, 1]])}
    found = document({("a", "test"): GOOD}, views)
    assert found.below_single_sensor == ()
    assert found.scenes["a"].views["fused"].classes_averaged == ("water",)


def test_no_caution_for_few_pixels_or_small_differences():
    few = {("a", "fused"): counted([[10, 80], [0, 9]]), ("a", "sar"): counted([[90, 0], [0, 9]])}
    level = {("a", "fused"): counted([[50_000, 0], [10, 50_000]]), ("a", "sar"): counted([[50_000, 0], [0, 50_010]])}
    for views in (few, level):
        assert document({("a", "test"): GOOD}, views).cautions == ()


def test_cautions_on_radiometry_come_first_mismatch_before_mild():
    like = SensorVerdict(verdict="match", reason="")
    mild = SensorVerdict(verdict="mild", reason="VV differs")
    wrong = SensorVerdict(verdict="mismatch", reason="wrong offset")
    checks = [
        RadiometryCheck(scene="a", sensors={"optical": like, "sar": mild}),
        RadiometryCheck(scene="b", sensors={"optical": wrong, "sar": like}),
    ]
    found = region_metrics("valley", {}, {}, AREAS, LEGEND, {}, (0, 5000), checks)
    assert found.cautions[:2] == (
        "Scene b: the values do not match those of the training scenes, so the map is probably wrong "
        "(optical: wrong offset).",
        "Scene a: the values differ from those of the training scenes (SAR: VV differs).",
    )
    assert "water" in found.cautions[2]
    assert found.radiometry["b"]["optical"] == wrong
    assert document({}).radiometry == {}


def test_caution_on_many_unseen_classes_is_shortened():
    legend = Legend(classes=tuple(LandCoverClass(code=code, name=f"c{code}") for code in range(1, 41)))
    learnt = class_support(legend, (5000, *[0] * 39))
    caution = cautions(learnt, {"c30": 7}, {}, (), ())[0]
    assert "c2, c3, " in caution and "c13 and 27 more: the network" in caution
    assert "include 7 pixels of c30" in caution  # although c30 is among the 27


def test_labels_of_a_product_are_the_first_caution():
    found = region_metrics("valley", {}, {}, AREAS, LEGEND, {}, labels_product="Dynamic World")
    assert found.labels_product == "Dynamic World"
    assert "the land-cover product Dynamic World, not ground truth" in found.cautions[0]
    assert "agreement" in found.cautions[0]
    plain = region_metrics("valley", {}, {}, AREAS, LEGEND, {})
    assert plain.labels_product is None and not any("product" in caution for caution in plain.cautions)


def on_map(matrix: list[list[int]], **pixels: int) -> MapCounts:
    sums = np.array([[np.diagonal(matrix), np.sum(matrix, 1), np.sum(matrix, 0)]])
    return MapCounts(counted(matrix, tiles=3), FinerCounts.empty(2), BlockSums(sums), **pixels)


def test_headline_is_the_map_on_test_ground_and_the_scenes_stay_beside_it():
    sums = {("a", "test"): counted([[80, 20], [20, 80]])}
    finer = {("a", "test"): FinerCounts(np.array([[4, 0], [2, 0], [4, 0], [4, 0]]), 50.0)}
    found = region_metrics(
        "valley", sums, {}, AREAS, LEGEND, {}, finer=finer, on_map=on_map([[90, 10], [10, 90]], shared_px=5)
    )
    assert (found.headline, found.split, found.oa, found.map.oa, found.map.shared_px) == ("map", "test", 0.9, 0.9, 5)
    assert found.intervals == found.map.intervals and found.intervals is not None
    assert found.intervals.oa is None and "in 1 blocks" in (found.intervals.reason or "")
    test = found.splits["test"]
    assert (test.oa, test.intervals, test.entropy) == (0.8, None, 0.25)
    assert (found.entropy, found.map.entropy) == (0.25, None)
    assert (found.tiles, found.map.tiles) == (1, 3)
    assert test.boundary_f1 == test.per_class[0].boundary_f1 == pytest.approx(2 / 3)
    assert test.per_class[1].boundary_f1 is None
    assert test.f1 == pytest.approx(0.8)


def test_headline_is_that_of_the_scenes_where_the_map_has_too_few_test_labels():
    sums = {("a", "test"): counted([[80, 20], [20, 80]])}
    few = region_metrics("valley", sums, {}, AREAS, LEGEND, {}, on_map=on_map([[30, 0], [0, 30]]))
    assert (few.headline, few.oa, few.map.pixels, few.map.too_few) == ("scenes", 0.8, 60, True)
    learnt = MapCounts(*[getattr(summed((), 2), name) for name in ("counts", "finer", "blocks")], training_px=7)
    none = region_metrics("valley", {}, {}, AREAS, LEGEND, {}, on_map=learnt)
    assert (none.headline, none.split, none.miou) == (None, None, None)
    assert none.map.reason == "no labels on test ground (7 pixels with test labels are on ground used for training)"
