from pathlib import Path

import pytest

from clairemap.artefacts.label_counts import LabelCounts, ValueCount, read_label_counts, write_label_counts
from clairemap.errors import StoreError
from clairemap.labels.counts import remarks, summary

COUNTS = LabelCounts(
    scene="west", file="fields.gpkg", layer="fields", field="kind", crs="EPSG:4326", reprojected=True, features=20,
    outside=9, burnt=5, no_value=1, ignored=2, not_polygons=3, unusable=0, repaired=1, without_pixel=4,
    values=(ValueCount(value="Wald", code=2, features=5, px=900),), class_px={1: 0, 2: 880}, overlap_px=20,
    unlabelled_px=120, pixels_sha256="ab", stamp={"clairemap_version": "1"},
)  # fmt: skip


def test_counts_are_read_as_written(tmp_path: Path):
    write_label_counts(tmp_path / "label.json", COUNTS)
    assert read_label_counts(tmp_path / "label.json") == COUNTS
    (tmp_path / "label.json").write_text("{}")
    with pytest.raises(StoreError, match="label counts file .* run burn_labels again"):
        read_label_counts(tmp_path / "label.json")


def test_everything_that_is_not_used_is_remarked():
    texts = list(remarks(COUNTS))
    assert [int(text.split()[0]) for text in texts] == [20, 1, 3, 1, 4]
    assert "different classes" in texts[0] and "'kind'" in texts[1] and "points, lines" in texts[2]
    assert not list(remarks(COUNTS.model_copy(update=dict.fromkeys(
        ("overlap_px", "no_value", "not_polygons", "repaired", "without_pixel"), 0))))  # fmt: skip
    line = summary(COUNTS)
    assert line.startswith("5 of 20 features burnt, 9 outside, 2 ignored, 1 without a value, 3 not polygons")
    assert "; 880 px labelled, 20 px in overlaps of classes, 120 px not labelled; " in line
    assert line.endswith("px by class code: 1: 0, 2: 880")
