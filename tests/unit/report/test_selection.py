from hypothesis import given
from hypothesis import strategies as st

from clairemap.artefacts.explanations import ClassFacts, ExplainedTile, TileFacts
from clairemap.report.selection import select_tiles
from clairemap.report.tile_records import TileDigest, digest_of
from clairemap.settings import DEMO_CLASSES, LegendSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3], ignore=(0,))


def tile(row: int, *figures: int | None, **named: float | None) -> TileDigest:
    return digest_of(explained(row, *figures, **named), LEGEND)  # type: ignore[arg-type]


def explained(
    row: int, oa_pct: int | None = 90, confidence_pct: int = 80, optical_share_pct: int = 50, water: float = 100.0
) -> ExplainedTile:
    facts = TileFacts(
        classes=(
            ClassFacts(name="water", area_pct=water, mapped_px=100, confidence_pct=80),
            ClassFacts(name="forest", area_pct=100 - water, mapped_px=100, confidence_pct=80),
        ),
        confidence_pct=confidence_pct,
        sensor="both",
        optical_share_pct=optical_share_pct,
        cloud_pct=0,
        mapped_pct=100,
        mapped_px=200,
        registration="good",
        oa_pct=oa_pct,
    )
    return ExplainedTile(scene="a", row=row, col=0, facts=facts, text="t", source="template")


def test_each_rule_finds_its_tile():
    tiles = [
        *(tile(row) for row in range(10)),
        tile(10, oa_pct=20),
        tile(11, confidence_pct=30),
        tile(12, optical_share_pct=0),
        tile(13, water=50.0),
    ]
    assert {(choice.id.row, choice.reason) for choice in select_tiles(tiles, 4)} == {
        (10, "lowest accuracy"),
        (11, "lowest confidence"),
        (12, "mostly one sensor"),
        (13, "most varied"),
    }


def test_without_labels_the_other_rules_choose():
    chosen = select_tiles([tile(row, oa_pct=None) for row in range(8)], 5)
    assert len(chosen) == 5
    assert all(choice.reason != "lowest accuracy" for choice in chosen)


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)), max_size=20),
    st.integers(0, 25),
)
def test_the_count_is_kept_without_duplicates_in_order(figures: list[tuple[int | None, int, int]], count: int):
    tiles = [tile(row, *figure) for row, figure in enumerate(figures)]
    rows = [choice.id.row for choice in select_tiles(tiles, count)]
    assert len(rows) == min(count, len(tiles))
    assert rows == sorted(set(rows))


def test_the_order_of_the_input_does_not_matter():
    tiles = [tile(row, oa_pct=row % 3 * 10) for row in range(9)]
    assert select_tiles(tiles, 4) == select_tiles(tiles[::-1], 4)


def test_good_tiles_get_no_mark():
    chosen = select_tiles([tile(row, oa_pct=100 - row % 2, confidence_pct=95) for row in range(9)], 3)
    assert [(choice.id.row, choice.reason) for choice in chosen] == [(0, ""), (3, ""), (6, "")]


def test_marks_begin_at_their_thresholds():
    tiles = [
        tile(0, oa_pct=85, confidence_pct=80, optical_share_pct=64, water=76.0),
        tile(1, oa_pct=84),
        tile(2, confidence_pct=79),
        tile(3, optical_share_pct=35),
        tile(4, water=75.0),
        tile(5),
    ]
    assert {choice.id.row: choice.reason for choice in select_tiles(tiles, 5)} == {
        0: "",
        1: "lowest accuracy",
        2: "lowest confidence",
        3: "mostly one sensor",
        4: "most varied",
    }


def test_a_tile_with_a_poor_class_is_shown():
    bad = explained(3, oa_pct=98)
    water, forest = bad.facts.classes
    classes = (water, forest.model_copy(update={"iou": 0.0, "label_pct": 5.0}))
    bad = bad.model_copy(update={"facts": bad.facts.model_copy(update={"classes": classes})})
    chosen = select_tiles([tile(0), tile(1), tile(2), digest_of(bad, LEGEND)], 1)
    assert [(choice.id.row, choice.reason) for choice in chosen] == [(3, "least accurate class")]
