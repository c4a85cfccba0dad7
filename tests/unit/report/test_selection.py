from hypothesis import given
from hypothesis import strategies as st

from clairemap.report.content import ToldTile
from clairemap.report.selection import choose


def tile(
    row: int, oa_pct: int | None = 90, confidence_pct: int = 80, optical_share_pct: int = 50, water: float = 100.0
) -> ToldTile:
    facts = {
        "classes": [{"name": "water", "area_pct": water}, {"name": "forest", "area_pct": 100 - water}],
        "confidence_pct": confidence_pct,
        "optical_share_pct": optical_share_pct,
        "cloud_pct": 0,
        "oa_pct": oa_pct,
    }
    return ToldTile.model_validate(
        {"scene": "a", "row": row, "col": 0, "facts": facts, "text": "t", "source": "template"}
    )


def test_each_rule_finds_its_tile():
    tiles = [
        *(tile(row) for row in range(10)),
        tile(10, oa_pct=20),
        tile(11, confidence_pct=30),
        tile(12, optical_share_pct=0),
        tile(13, water=50.0),
    ]
    assert {(choice.tile.row, choice.why) for choice in choose(tiles, 4)} == {
        (10, "lowest accuracy"),
        (11, "lowest confidence"),
        (12, "rests most on one sensor"),
        (13, "most varied"),
    }


def test_without_labels_the_other_rules_choose():
    chosen = choose([tile(row, oa_pct=None) for row in range(8)], 5)
    assert len(chosen) == 5
    assert all(choice.why != "lowest accuracy" for choice in chosen)


@given(
    st.lists(st.tuples(st.none() | st.integers(0, 100), st.integers(0, 100), st.integers(0, 100)), max_size=20),
    st.integers(0, 25),
)
def test_as_many_as_asked_for_none_twice_in_order(figures: list[tuple[int | None, int, int]], count: int):
    tiles = [tile(row, *figure) for row, figure in enumerate(figures)]
    rows = [choice.tile.row for choice in choose(tiles, count)]
    assert len(rows) == min(count, len(tiles))
    assert rows == sorted(set(rows))


def test_the_order_of_the_input_does_not_matter():
    tiles = [tile(row, oa_pct=row % 3 * 10) for row in range(9)]
    assert choose(tiles, 4) == choose(tiles[::-1], 4)
