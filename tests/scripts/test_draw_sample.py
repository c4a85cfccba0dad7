"""The sample of a made map: drawn, drawn again after changes, filled in by interpreters in between."""

import csv
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from clairemap.accuracy.answers import read_answers
from clairemap.accuracy.zones import OUTSIDE_ZONES
from clairemap.artefacts.sample_design import read_sample_design
from clairemap.errors import SampleError
from clairemap.outputs import SampleFiles
from clairemap.provenance import file_digest
from clairemap.settings import load_settings
from clairemap.stages import DrawSample, stage_json

Stage = Callable[[str], Callable[..., Any]]
CODES = np.full((120, 200), 2, np.uint8)
CODES[:, :40] = 1
CODES[50:60, 100:110] = 3
CODES[:5] = 255


class Valley:
    """A folder with the map of the region valley, and functions that draw its sample."""

    def __init__(self, folder: Path, stage: Stage, sampled_maps: Any) -> None:
        self.folder, self.stage, self.maps = folder, stage, sampled_maps
        self.files = SampleFiles(folder / "results", folder / "work", "valley")
        self.landcover = folder / "results" / "valley" / "valley.landcover.tif"
        self.metrics = folder / "results" / "valley" / "metrics.json"
        self.map(CODES)
        sampled_maps.write_metrics_of(self.metrics)

    def map(self, codes: np.ndarray, **tags: str) -> None:
        self.maps.write_landcover(self.landcover, codes, **tags)

    def draw(self, **accuracy: Any) -> set[str]:
        """Draw the sample, and return its ids."""
        chosen = {"units": 100, "per_stratum": 20, **accuracy}
        settings = load_settings({"legend": self.maps.LEGEND, "accuracy": chosen})
        self.stage("draw_sample")(
            region="valley", landcover=self.landcover, metrics=self.metrics, results=self.folder / "results",
            work=self.folder / "work", settings=stage_json(settings, DrawSample),
        )  # fmt: skip
        return {answer.id for answer in read_answers(self.files.table)}

    def fill_in(self, path: Path, count: int = 10) -> dict[str, str]:
        """Write answers for the first units of the sample to a file, and return them."""
        with self.files.table.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows[:count]:
            row["reference"] = "water"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
            writer.writeheader()
            writer.writerows(rows)
        return {row["id"]: "water" for row in rows[:count]}

    def answers(self, path: Path) -> dict[str, str]:
        return {answer.id: answer.reference for answer in read_answers(path) if answer.is_given}


@pytest.fixture
def valley(tmp_path: Path, stage: Stage, sampled_maps: Any) -> Valley:
    return Valley(tmp_path, stage, sampled_maps)


def test_a_sample_is_drawn(valley: Valley):
    ids = valley.draw()
    design = read_sample_design(valley.files.design)
    assert {unit.id for unit in design.units} == ids == {a.id for a in read_answers(valley.files.geopackage)}
    assert [(each.name, each.units) for each in design.strata][2] == ("fields", 20)
    assert valley.files.drawn.read_text().strip() == file_digest(valley.files.design)
    assert not valley.answers(valley.files.table)


def test_the_same_settings_and_map_give_the_same_files(valley: Valley):
    valley.draw()
    content = [path.read_bytes() for path in (valley.files.table, valley.files.drawn)]
    for path in (valley.files.table, valley.files.geopackage, valley.files.design, valley.files.drawn):
        path.unlink()
    valley.draw()
    assert [path.read_bytes() for path in (valley.files.table, valley.files.drawn)] == content


@pytest.mark.parametrize("place", ["sample", "interpreted"])
def test_a_longer_sample_keeps_answers(valley: Valley, place: str):
    short = valley.draw()
    path = valley.files.table if place == "sample" else valley.folder / "points" / "valley.csv"
    given = valley.fill_in(path)
    interpreted = str(valley.folder / "points" / "{region}.csv") if place == "interpreted" else None
    long = valley.draw(units=160, interpreted=interpreted)
    assert short < long
    assert valley.answers(valley.files.table) == valley.answers(valley.files.geopackage) == given


@pytest.mark.parametrize(
    "changed", [{"seed": 4}, {"units": 30, "per_stratum": 2}, {"buffer": {"around": "fields", "px": 2}}]
)
def test_answers_are_not_lost(valley: Valley, changed: dict[str, Any]):
    valley.draw()
    valley.fill_in(valley.files.table, 100)
    kept = valley.files.table.read_bytes(), valley.files.design.read_bytes()
    with pytest.raises(SampleError, match=r"have answers, .* are not in the new sample.*or restore the settings"):
        valley.draw(**changed)
    assert (valley.files.table.read_bytes(), valley.files.design.read_bytes()) == kept


def test_answers_at_another_place_are_not_kept(valley: Valley):
    valley.draw()
    valley.fill_in(valley.files.table)
    header, first, second, *lines = valley.files.table.read_text().splitlines()
    swapped = [f"{two[:10]}{one[10:]}" for one, two in ((first, second), (second, first))]
    valley.files.table.write_text("\n".join([header, *swapped, *lines]))
    with pytest.raises(SampleError, match=r"2 unit\(s\) are at another place than in the sample"):
        valley.draw(units=160)


def test_without_answers_another_sample_may_be_drawn(valley: Valley):
    assert valley.draw() != valley.draw(seed=4)


def test_a_new_map_does_not_change_the_sample(valley: Valley, caplog: pytest.LogCaptureFixture):
    ids = valley.draw()
    kept = valley.files.design.read_bytes()
    valley.map(np.where(CODES == 3, np.uint8(2), CODES))
    valley.files.table.unlink()
    assert valley.draw() == ids
    assert valley.files.design.read_bytes() == kept
    assert "has changed since the sample was drawn; the sample stays as it is" in caplog.text


def test_a_new_map_and_another_wanted_sample_are_refused(valley: Valley):
    valley.draw()
    valley.map(np.where(CODES == 3, np.uint8(2), CODES))
    with pytest.raises(SampleError, match=r"seed 5 instead of 0, units 300 instead of 10\d\. Restore"):
        valley.draw(seed=5, units=300)
    for path in (valley.files.table, valley.files.geopackage, valley.files.design):
        path.rename(valley.folder / path.name)
    assert len(valley.draw(seed=5, units=300)) >= 300


def test_other_tags_of_the_file_are_not_a_new_map(valley: Valley):
    short = valley.draw()
    valley.map(CODES, clairemap_version="9.9")
    assert short < valley.draw(units=200)


def test_the_published_design_replaces_a_deleted_one(valley: Valley):
    ids = valley.draw()
    valley.files.design.rename(valley.files.published_design)
    valley.map(np.where(CODES == 3, np.uint8(2), CODES))
    assert valley.draw() == ids


def test_small_and_empty_strata_are_reported(valley: Valley, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    codes = np.where(CODES == 3, np.uint8(2), CODES)
    codes[60, 100:107] = 1
    codes[:, :40] = 2
    valley.map(codes)
    valley.draw()
    assert "stratum water has only 7 pixels: all of them are in the sample" in caplog.text
    assert "no pixel on the map: fields" in caplog.text


def test_sizes_follow_accuracies_on_test_pixels(valley: Valley):
    valley.maps.write_metrics_of(valley.metrics, users=(0.9, 0.9, None))
    accurate = len(valley.draw(units=None, half_width=0.08, per_stratum=2))
    valley.maps.write_metrics_of(valley.metrics, users=(0.6, 0.6, None))
    inaccurate = len(valley.draw(units=None, half_width=0.08, per_stratum=2))
    valley.maps.write_metrics_of(valley.metrics)
    unlabelled = len(valley.draw(units=None, half_width=0.08, per_stratum=2, expected_accuracy=0.75))
    assert accurate < unlabelled < inaccurate
    assert len(valley.draw(units=None, half_width=0.08, half_width_class="fields", per_stratum=2)) < unlabelled


def test_zones_are_strata(valley: Valley):
    x0, y0 = valley.maps.ORIGIN
    zones = [shapely.box(x0, y0 - 1200, x0 + 900, y0), shapely.box(x0 + 900, y0 - 1200, x0 + 1500, y0)]
    path = valley.folder / "zones.gpkg"
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(zones)), [np.array(["west", "middle"], object)], ["name"],
        crs=valley.maps.CRS, geometry_type="Polygon", driver="GPKG",
    )  # fmt: skip
    valley.draw(zones=str(path), zone_field="name", strata_by_zone=True, per_stratum=5)
    design = read_sample_design(valley.files.design)
    assert [each.name for each in design.strata] == [
        f"{zone}: {name}" for zone in ("west", "middle", OUTSIDE_ZONES) for name in ("water", "woods", "fields")
    ]
    assert [each.pixels for each in design.strata][:2] == [40 * 115, 50 * 115]
    assert sum(each.pixels for each in design.strata) == 115 * 200
    for unit in design.units:
        assert design.strata[unit.stratum].name.startswith("west") == (unit.column < 90)
