import json
from pathlib import Path

import pytest

from clairemap.artefacts.explanations import (
    ClassFacts,
    Confused,
    ExplainedTile,
    TileFacts,
    confidence_level,
    read_explanations,
    write_explanations,
)
from clairemap.artefacts.tiles import TileId
from clairemap.errors import StoreError


def facts(**changed: object) -> TileFacts:
    plain: dict[str, object] = {
        "classes": (
            ClassFacts(name="water", area_pct=70.0, mapped_px=70, confidence_pct=90),
            ClassFacts(name="forest", area_pct=30.0, mapped_px=30, confidence_pct=50),
        ),
        "confidence_pct": 78,
        "sensor": "both",
        "optical_share_pct": 50,
        "cloud_pct": 0,
        "mapped_pct": 100,
        "mapped_px": 100,
        "registration": "good",
    }
    return TileFacts.model_validate({**plain, **changed})


@pytest.mark.parametrize(("pct", "level"), [(100, "high"), (80, "high"), (79, "medium"), (60, "medium"), (59, "low")])
def test_confidence_levels(pct: int, level: str):
    assert confidence_level(pct) == level
    assert facts(confidence_pct=pct).confidence == level


@pytest.mark.parametrize(("pct", "level"), [(0, "none"), (1, "some"), (19, "some"), (20, "heavy")])
def test_cloud_levels(pct: int, level: str):
    assert facts(cloud_pct=pct).clouds == level


@pytest.mark.parametrize(("pct", "level"), [(None, None), (85, "good"), (84, "fair"), (70, "fair"), (69, "poor")])
def test_accuracy_levels(pct: int | None, level: str | None):
    assert facts(oa_pct=pct).accuracy == level


def test_unknown_clouds_are_a_separate_level():
    assert facts(cloud_pct=None, cloud_unknown_pct=100).clouds == "unknown"


@pytest.mark.parametrize(
    ("oa_pct", "ious", "level", "worst"),
    [
        (98, (0.98, 0.0), "poor", "forest"),
        (98, (0.98, 0.6), "fair", "forest"),
        (98, (0.98, 0.8), "good", None),
        (69, (0.8, 0.9), "poor", None),  # the overall accuracy alone
        (69, (0.2, 0.1), "poor", "forest"),
    ],
)
def test_accuracy_level_is_that_of_the_worst_class(
    oa_pct: int, ious: tuple[float, float], level: str, worst: str | None
):
    classes = tuple(
        c.model_copy(update={"iou": iou, "label_pct": 50.0}) for c, iou in zip(facts().classes, ious, strict=True)
    )
    found = facts(oa_pct=oa_pct, classes=classes)
    assert (found.accuracy, found.worst and found.worst.name) == (level, worst)
    assert found.levels().get("worst class") == worst
    small = tuple(c.model_copy(update={"label_pct": 0.9}) for c in classes)
    assert facts(oa_pct=98, classes=small).accuracy == "good"


def test_cover():
    assert facts().cover == "dominant"
    assert facts(classes=facts().classes[:1]).cover == "uniform"
    halves = tuple(
        ClassFacts(name=name, area_pct=49.9, mapped_px=50, confidence_pct=80) for name in ("water", "forest", "road")
    )
    assert facts(classes=halves).cover == "mixed"


def test_names_include_confused_classes_that_are_not_mapped():
    assert facts(confusions=(Confused(truth="road", mapped="water", pct=9),)).names == ("water", "forest", "road")


def test_record_contains_facts_and_levels():
    record = facts().record()
    assert record["levels"] == {
        "cover": "dominant",
        "confidence": "medium",
        "sensor": "both",
        "clouds": "none",
        "registration": "good",
        "accuracy": None,
    }
    assert TileFacts.model_validate(record) == facts()


def explained(row: int) -> ExplainedTile:
    return ExplainedTile(scene="älp", row=row, col=3, facts=facts(), text="Mostly wäter.", source="template", key="k")


def test_round_trip_keeps_all_lines(tmp_path: Path):
    write_explanations(tmp_path / "e.jsonl", [explained(0), explained(1)])
    assert read_explanations(tmp_path / "e.jsonl") == [explained(0), explained(1)]
    lines = (tmp_path / "e.jsonl").read_text().splitlines()
    assert list(json.loads(lines[0])) == ["scene", "row", "col", "facts", "text", "sentences", "source", "key"]
    assert "wäter" in lines[0] and '"levels": {"cover"' in lines[0]
    (tmp_path / "e.jsonl").write_text(lines[1] + "\n\n" + lines[0])
    assert [tile.id for tile in read_explanations(tmp_path / "e.jsonl")] == [TileId("älp", 1, 3), TileId("älp", 0, 3)]


@pytest.mark.parametrize(
    ("text", "expected"), [(None, "No such file"), ('{"scene": 1}\n', "line 1: "), ("\n{\n", "line 2: ")]
)
def test_error_names_file_and_line(tmp_path: Path, text: str | None, expected: str):
    path = tmp_path / "e.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(
        StoreError, match=rf"e\.jsonl: not a valid file of explanations \(.*{expected}.*run explain_tiles again"
    ):
        read_explanations(path)
