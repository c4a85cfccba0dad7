import datetime
from collections.abc import Callable
from types import ModuleType

import pytest

from clairemap.catalogues.item import Item, Located, item_of
from clairemap.catalogues.pairing import Limits, paired

TILE = (10.0, 46.0, 11.0, 47.0)
LIMITS = Limits(min_overlap=0.5, max_days=6)
Made = Callable[..., Item]


@pytest.fixture
def made(made_catalogues: ModuleType):
    """Return ``made(name, box, days)``: an item some days after 1 June 2024."""

    def make(name: str, box: tuple[float, float, float, float] = TILE, days: float = 0) -> Item:
        when = datetime.datetime(2024, 6, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=days)
        document = made_catalogues.item(name, "made", box, when.isoformat(), {})
        return item_of(Located(document, name, name, name))

    return make


def wider(east: float) -> tuple[float, float, float, float]:
    """Return a box that covers the tile up to a longitude."""
    return (9.0, 45.0, east, 48.0)


def test_the_partner_has_the_largest_overlap_then_the_fewest_days_then_the_earliest(made: Made):
    optical = [made("optical")]

    def partner(*sar: Item) -> str:
        ((pair,), alone) = paired(optical, sar, LIMITS)
        assert not alone
        return pair.sar.id

    assert partner(made("a", wider(10.6), 1), made("b", wider(10.9), 5)) == "b"
    assert partner(made("a", wider(10.902), 5), made("b", wider(10.9), 1)) == "b"  # both 90 %
    assert partner(made("a", wider(12), 2), made("b", wider(12), -2), made("c", wider(12), 3)) == "b"
    assert partner(made("b", wider(12), 1), made("a", wider(12), 1)) == "a"


def test_limits_are_inclusive_and_overlap_is_a_share_of_the_optical_area(made: Made):
    optical = [made("optical")]
    (pair,), _ = paired(optical, [made("sar", wider(10.5001), 6)], LIMITS)
    assert pair.days == 6 and pair.overlap == pytest.approx(0.5001)
    (), (alone,) = paired(optical, [made("sar", wider(10.499), 0)], LIMITS)
    assert "cover at most 50 % of it (sar, 0.0 days away)" in alone.reason
    (), (alone,) = paired(optical, [made("sar", TILE, -6.5), made("other", TILE, 9)], LIMITS)
    assert alone.reason == "the SAR item closest in time, sar, is 6.5 days away"
    (), (alone,) = paired(optical, [made("neighbour", (11.0, 46.0, 12.0, 47.0))], LIMITS)
    assert alone.reason == "no SAR item overlaps"
    assert paired(optical, [], LIMITS)[1][0].reason == "no SAR item overlaps"


def test_areas_have_the_ratios_of_areas_on_the_sphere(made: Made):
    optical = [made("optical", (0.0, 0.0, 10.0, 60.0))]
    (pair,), _ = paired(optical, [made("sar", (0.0, 0.0, 10.0, 30.0))], LIMITS)
    assert pair.overlap == pytest.approx(0.5 / (3**0.5 / 2))


def test_a_sar_item_may_be_the_partner_of_several_and_pairs_are_ordered_by_time(made: Made):
    optical = [made("late", days=3), made("early", days=1), made("alone", days=40)]
    pairs, alone = paired(optical, [made("sar")], LIMITS)
    assert [(pair.optical.id, pair.sar.id) for pair in pairs] == [("early", "sar"), ("late", "sar")]
    assert [left.optical.id for left in alone] == ["alone"]


def test_footprints_across_the_antimeridian_overlap(made: Made, made_catalogues: ModuleType):
    document = made_catalogues.item("tile", "made", TILE, "2024-06-01T00:00:00Z", {})
    ring = [[179.5, 60], [-179.5, 60], [-179.5, 61], [179.5, 61], [179.5, 60]]
    document["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    tile = item_of(Located(document, "tile", None, "tile"))
    (pair,), _ = paired([tile], [made("sar", (-179.9, 59, -170, 62)), made("far", (0, 59, 10, 62))], Limits(0.3, 6))
    assert pair.sar.id == "sar" and pair.overlap == pytest.approx(0.4)


def test_the_days_between_composites_are_those_between_their_periods(made: Made, made_catalogues: ModuleType):
    month = {"start_datetime": "2024-06-10T00:00:00Z", "end_datetime": "2024-06-30T23:59:59Z"}
    document = made_catalogues.item("month", "made", TILE, "2024-06-20T00:00:00Z", {}, **month)
    composite = item_of(Located(document, "month", None, "month"))
    assert composite.day is None and composite.days_to(made("within", days=20)) == 0
    assert composite.days_to(made("before", days=5)) == made("before", days=5).days_to(composite) == 4
