import datetime
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from clairemap.catalogues.item import Item, ItemError, Located, item_of, sensor_of
from clairemap.catalogues.scene_sheet import valid_names
from clairemap.scenes import NAME

BOX = (10.0, 46.0, 11.0, 47.0)
WHEN = "2024-06-03T10:16:05Z"
Made = Callable[..., Item]


@pytest.fixture
def made(made_catalogues: ModuleType):
    """Return ``made(name, collection, **properties)``."""

    def make(name: str = "item", collection: str = "", **properties: Any) -> Item:
        document = made_catalogues.item(name, collection, BOX, WHEN, {}, **properties)
        return item_of(Located(document, name, name, name))

    return make


@pytest.mark.parametrize(
    ("collection", "properties", "sensor"),
    [
        ("", {"instruments": ["msi"]}, "optical"),
        ("", {"instruments": ["OLI", "TIRS"], "platform": "landsat-9"}, "optical"),
        ("", {"instruments": ["c-sar"]}, "sar"),
        ("", {"instruments": ["msi", "c-sar"]}, None),
        ("", {"platform": "SENTINEL-1A"}, "sar"),
        ("", {"constellation": "Sentinel 2"}, "optical"),
        ("sentinel-1-rtc", {}, "sar"),
        ("hls2-s30", {}, "optical"),
        ("ours", {"sar:polarizations": ["VV"]}, "sar"),
        ("ours", {"eo:cloud_cover": 3}, "optical"),
        ("ours", {"sar:polarizations": ["VV"], "eo:cloud_cover": 3}, None),
        ("io-lulc", {}, None),
        ("cop-dem-glo-30", {"platform": "TanDEM-X"}, None),  # elevation
    ],
)
def test_sensors_follow_instruments_then_names_then_extensions(
    made: Made, collection: str, properties: dict, sensor: str
):
    item = made("item", collection, **properties)
    assert sensor_of(item, (), ()) == sensor
    assert sensor_of(item, [collection or "none"], ()) == ("optical" if collection else sensor)


def test_times_are_compared_in_utc(made: Made):
    east = made(datetime="2024-06-03T01:00:00+02:00")
    assert east.day == datetime.date(2024, 6, 2) and east.days_to(made(datetime="2024-06-02T23:00:00")) == 0


def test_all_faults_of_an_item_are_in_its_message(made_catalogues: ModuleType):
    document = made_catalogues.item("", "made", BOX, "yesterday", {})
    document["geometry"] = {"type": "Point", "coordinates": [1, 2]}
    with pytest.raises(ItemError) as error:
        item_of(Located(document, "place", None, "place"))
    assert str(error.value) == (
        "has no id; its datetime 'yesterday' is not a time in ISO 8601; its geometry has no area (its type is Point)"
    )


def test_names_of_scenes_are_valid_and_unique_whatever_the_case(made: Made):
    items = [made("S2:A"), made("s2 a", "other"), made("S2_A", "third"), made("x" * 120), made("x" * 121), made("é")]
    names = valid_names(items)
    assert names[0] == "S2_A" and names[-1] == "scene"
    assert len({name.lower() for name in names}) == len(items)
    assert all(NAME.match(name) and len(name) <= 100 for name in names)
