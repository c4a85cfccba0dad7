import json
from typing import Any

from clairemap.artefacts.explanations import ClassFacts, ExplainedPoint, ExplainedTile, TileFacts
from clairemap.artefacts.tiles import TileId
from clairemap.report.class_errors import ClassErrors
from clairemap.report.page_data import to_json
from clairemap.report.tile_records import digest_of, records, weakest_first
from clairemap.settings import DEMO_CLASSES, LegendSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3], ignore=(0,))


def tile(row: int, oa_pct: int | None, confidence_pct: int) -> ExplainedTile:
    facts = TileFacts(
        classes=(
            ClassFacts(name="forest", area_pct=70.0, mapped_px=70, confidence_pct=85, iou=0.4),
            ClassFacts(name="water", area_pct=30.0, mapped_px=30, confidence_pct=75, iou=0.9),
            ClassFacts(name="of an older legend", area_pct=0.2, mapped_px=1, confidence_pct=75),
        ),
        confidence_pct=confidence_pct,
        sensor="both",
        optical_share_pct=40,
        cloud_pct=None,
        mapped_pct=100,
        mapped_px=101,
        registration="good",
        oa_pct=oa_pct,
    )
    return ExplainedTile(scene="north", row=row, col=3, facts=facts, text="A <b>.", source="template")


def as_dicts(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def test_the_weakest_tile_is_first():
    made = [tile(0, None, 60), tile(1, 90, 50), tile(2, 70, 80), tile(3, None, 40)]
    assert [each.id.row for each in weakest_first(digest_of(each, LEGEND) for each in made)] == [2, 1, 3, 0]


def test_records_have_the_figures():
    found = records(
        [digest_of(tile(1, 90, 50), LEGEND), digest_of(tile(2, None, 80), LEGEND)],
        {TileId("north", 1, 3): "test"},
        {TileId("north", 1, 3): (0, [0.0, 0.0, 5.0, 0.0, 5.0, 5.0, 0.0, 5.0])},
        ClassErrors((), ((1, 0),), {TileId("north", 1, 3): [(0, 7)]}),
    )
    assert found["scenes"] == ["north"] and found["splits"] == ["predict", "test"]
    first, second = as_dicts(found)
    assert (first["oa"], first["miou"], first["confidence"], first["cloud"]) == (90, 65.0, 50, None)
    assert first["classes"] == [[1, 70.0, 0.4], [0, 30.0, 0.9]] and first["text"] == "A <b>."
    assert found["splits"][first["split"]] == "test" and first["quad"][2] == 5.0
    assert second["map"] is None and second["quad"] == [] and second["errors"] == []
    assert found["errors"] == ((1, 0),) and first["errors"] == [(0, 7)]
    assert "<" not in to_json(found) and json.loads(to_json(found))["rows"][0][13] == "A <b>."


def test_sentences_have_the_figures_behind_them():
    made = tile(1, 90, 50)
    sentences = (ExplainedPoint(topic="t", text="Text.", about=("oa_pct",)), ExplainedPoint(topic="u", text="More."))
    (row,) = as_dicts(
        records([digest_of(made.model_copy(update={"sentences": sentences}), LEGEND)], {}, {}, ClassErrors())
    )
    assert row["text"] == [["Text.", ["overall accuracy 90 %"]], ["More.", []]]
