from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clairemap.errors import SampleError, SettingsError
from clairemap.operations.interpreted import check_can_be_sampled, has_answers, interpreted_regions
from clairemap.settings import load_settings


def plan(interpreted: str | None, *regions: str, grid: str = "region") -> Any:
    settings = load_settings({"accuracy": {"interpreted": interpreted}, "mosaic": {"grid": grid}})
    return SimpleNamespace(settings=settings, sheet=SimpleNamespace(regions=regions))


@pytest.fixture
def points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points").mkdir()
    return tmp_path / "points"


def test_without_a_file_in_the_settings_no_region_is_estimated():
    assert interpreted_regions(plan(None, "alps"), pytest.fail) == []


def test_regions_with_a_file(points: Path):
    for name in ("alps", "jura"):
        (points / f"{name}.csv").touch()
    assert interpreted_regions(plan("points/{region}.csv", "alps", "jura"), pytest.fail) == ["alps", "jura"]
    assert interpreted_regions(plan("points/alps.csv", "alps"), pytest.fail) == ["alps"]


def test_regions_without_a_file_are_reported(points: Path):
    (points / "jura.csv").touch()
    warnings: list[str] = []
    assert interpreted_regions(plan("points/{region}.csv", "alps", "jura"), warnings.append) == ["jura"]
    (text,) = warnings
    assert "points/alps.csv does not exist. Draw samples (snakemake --cores 2 draw_samples)" in text
    assert text.endswith("No estimates for alps")


@pytest.mark.usefixtures("points")
def test_a_file_that_a_rule_makes_need_not_exist():
    made = ["points/jura.csv"]
    both = plan("points/{region}.csv", "alps", "jura")
    assert has_answers(both, "jura", made) and not has_answers(both, "alps", made)
    assert not has_answers(plan(None, "jura"), "jura", made)
    assert interpreted_regions(both, lambda _: None, made) == ["jura"]


@pytest.mark.usefixtures("points")
def test_no_file_at_all_is_an_error():
    with pytest.raises(SampleError, match=r"points/alps.csv does not exist.*or set accuracy.interpreted to null"):
        interpreted_regions(plan("points/{region}.csv", "alps"), pytest.fail)


def test_one_file_for_several_regions_is_an_error(points: Path):
    (points / "all.csv").touch()
    with pytest.raises(SampleError, match=r"one file for 2 regions \(alps, jura\).* use \{region\} in the path"):
        interpreted_regions(plan("points/all.csv", "alps", "jura"), pytest.fail)


def test_maps_of_scenes_are_refused():
    check_can_be_sampled(plan(None, "alps"))
    with pytest.raises(SettingsError, match="set mosaic.grid to region"):
        check_can_be_sampled(plan(None, "alps", grid="scene"))
    with pytest.raises(SettingsError, match=r"accuracy.interpreted needs one map for each region"):
        plan("points/{region}.csv", "alps", grid="scene")
    with pytest.raises(SettingsError, match=r"has braces other than \{region\}"):
        plan("points/{name}.csv", "alps")
