import json
from dataclasses import asdict
from pathlib import Path

import pytest

from clairemap.artefacts.map_check import MapCheck, MapFacts, RegionMaps, read_map_check, write_map_check
from clairemap.errors import StoreError

CHECK = MapCheck(
    {"clairemap_version": "1.2.3"}, 50, 100,
    RegionMaps(MapFacts(3, {1: 4000, 255: 1000}), MapFacts(3, {77: 5000}), MapFacts(3, {}), MapFacts(3, {1: 5000})),
)  # fmt: skip


def test_round_trip(tmp_path: Path):
    write_map_check(tmp_path / "check.json", CHECK)
    assert read_map_check(tmp_path / "check.json") == CHECK


def test_check_without_all_four_maps_is_an_error(tmp_path: Path):
    content = asdict(CHECK)
    del content["maps"]["source_count"]
    (tmp_path / "check.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"check\.json: .*maps\.source_count.*run check_maps again"):
        read_map_check(tmp_path / "check.json")


@pytest.mark.parametrize("text", [None, "{", "{}", "[1]"])
def test_damaged_file_is_an_error(tmp_path: Path, text: str | None):
    if text is not None:
        (tmp_path / "check.json").write_text(text)
    with pytest.raises(StoreError, match=r"check\.json: not a valid map check .*run check_maps again"):
        read_map_check(tmp_path / "check.json")
