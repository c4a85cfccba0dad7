"""What a failed scene leaves incomplete."""

from clairemap.operations.region_summary import region_lines


def lines(unfinished: list[tuple[str, str]], failed: dict[str, set[str]]) -> list[str]:
    return list(region_lines(unfinished, failed, ["north", "south", "west"], "scenes.csv"))


def test_each_incomplete_region_lists_what_is_missing_and_why():
    south = [("mosaic_region", "south"), ("score_region", "south"), ("render_report", "south")]
    west = [("audit_splits", "north"), ("render_report", "west")]
    first, second, third, last = lines([*south, *west], {"south": {"far", "east"}})
    assert first == "Complete regions: north. Incomplete regions:"
    assert second == "- south: not made: maps, accuracy, report; failed scenes: east, far"
    assert third == "- west: not made: report; scenes of other regions failed; up to date: maps, accuracy"
    assert "remove its row from scenes.csv" in last and "set the split to predict" in last


def test_without_a_failed_scene_there_is_nothing_to_say():
    assert lines([("mosaic_region", "south")], {}) == []
    assert lines([], {"south": {"east"}}) == []  # the run was not to make results of regions


def test_many_regions_are_counted():
    unfinished = [("mosaic_region", f"r{number:02}") for number in range(12)]
    found = lines(unfinished, {"r00": {"a"}})
    assert "- and 2 more" in found and len(found) == 13
