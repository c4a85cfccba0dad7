import json

import numpy as np
import pytest

from clairemap.classes import LandCoverClass, Legend
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.document import RegionMetrics, Sums, region_metrics, scope
from clairemap.metrics.ground import Coverage
from clairemap.metrics.tally import Tally

LEGEND = Legend((LandCoverClass(10, "water", "#0000ff"), LandCoverClass(20, "forest", "#00ff00")), ignore=(0,))
COVERAGE = Coverage(np.array([30, 10]), np.array([3000.0, 1000.0]), "in the plane")


def counted(matrix: list[list[int]], unmapped_px: int = 0) -> Tally:
    return Tally(np.array(matrix), Calibration.empty(), unmapped_px, 1)


def document(sums: Sums, views: dict[str, Tally] | None = None) -> RegionMetrics:
    return region_metrics("valley", sums, views or {}, COVERAGE, LEGEND, {"clairemap_version": "x"})


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


def test_tiles_of_one_scene_in_several_splits_are_all_in_the_scene():
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


def test_labels_where_nothing_could_be_mapped_are_a_reason_of_their_own():
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
