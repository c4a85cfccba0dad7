"""Estimates of a made map from a sample that is interpreted from the truth."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pyproj
import pytest
import shapely

from clairemap.artefacts.estimates import AreaEstimates, read_estimates
from clairemap.artefacts.sample_design import read_sample_design
from clairemap.errors import SampleError, StoreError
from clairemap.outputs import SampleFiles
from clairemap.settings import load_settings
from clairemap.stages import DrawSample, EstimateAreas, RenderReport, stage_json

Stage = Callable[[str], Callable[..., Any]]
NAMES = {1: "water", 2: "woods", 3: "fields"}
TRUTH = np.full((120, 200), 2, np.uint8)
TRUTH[:, :40] = 1
TRUTH[40:80, 100:140] = 3
MAPPED = TRUTH.copy()
MAPPED[:, 35:40] = 2
MAPPED[40:80, 130:140] = 2
MAPPED[:4] = 255


class Valley:
    """A sampled map and its truth."""

    def __init__(self, folder: Path, stage: Stage, maps: Any, mapped: np.ndarray = MAPPED) -> None:
        self.folder, self.stage, self.maps = folder, stage, maps
        self.files = SampleFiles(folder / "results", folder / "work", "valley")
        self.landcover = folder / "results" / "valley" / "valley.landcover.tif"
        self.points = folder / "points.csv"
        maps.write_landcover(self.landcover, mapped)
        metrics = folder / "metrics.json"
        maps.write_metrics_of(metrics)
        settings = load_settings({"legend": maps.LEGEND, "accuracy": {"units": 400, "per_stratum": 40, "seed": 3}})
        stage("draw_sample")(
            region="valley", landcover=self.landcover, metrics=metrics, results=folder / "results",
            work=folder / "work", settings=stage_json(settings, DrawSample),
        )  # fmt: skip
        self.units = read_sample_design(self.files.design).units

    def write_points(self, answers: dict[str, str], second: dict[str, str] | None = None) -> None:
        with self.points.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "reference", "reference_2"])
            writer.writerows([key, answer, (second or {}).get(key, "")] for key, answer in answers.items())

    @property
    def truth(self) -> dict[str, str]:
        return {unit.id: NAMES[int(TRUTH[unit.row, unit.column])] for unit in self.units}

    def estimate(self, **accuracy: Any) -> AreaEstimates:
        settings = load_settings({"legend": self.maps.LEGEND, "accuracy": accuracy})
        self.stage("estimate_areas")(
            region="valley", answers=self.points, landcover=self.landcover, results=self.folder / "results",
            work=self.folder / "work", settings=stage_json(settings, EstimateAreas),
        )  # fmt: skip
        return read_estimates(self.files.estimates)


@pytest.fixture
def valley(tmp_path: Path, stage: Stage, sampled_maps: Any) -> Valley:
    return Valley(tmp_path, stage, sampled_maps)


def true_ha(truth: np.ndarray = TRUTH, mapped: np.ndarray = MAPPED) -> list[float]:
    return [float((truth[mapped != 255] == code).sum()) / 100 for code in NAMES]


def test_estimates_contain_the_truth_that_counting_misses(valley: Valley):
    valley.write_points(valley.truth)
    found = valley.estimate()
    for row, hectares in zip(found.classes, true_ha(), strict=True):
        assert row.area_ha.low <= hectares <= row.area_ha.high
    assert sum(row.area_ha.value for row in found.classes) == pytest.approx(232, rel=2e-3)
    assert found.classes[0].misleading and found.classes[1].misleading
    assert found.classes[0].counted_ha == pytest.approx(116 * 35 / 100, rel=2e-3)
    assert found.overall.low <= (TRUTH == MAPPED)[4:].mean() <= found.overall.high
    assert found.units == found.answered == len(valley.units)
    assert found.map_sha256 == found.sampled_map_sha256
    assert found.cautions == () and found.agreement is None and found.design_effect is not None
    assert read_sample_design(valley.files.published_design) == read_sample_design(valley.files.design)


def test_the_table_has_a_row_for_each_figure(valley: Valley):
    valley.write_points(valley.truth)
    found = valley.estimate()
    with valley.files.estimates_table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1 + 3 * 5
    areas = {row["class"]: float(row["value"]) for row in rows if row["figure"] == "area_ha"}
    assert areas == pytest.approx({row.name: row.area_ha.value for row in found.classes}, rel=1e-4)


def test_two_interpreters_and_missing_answers(valley: Valley):
    answers = valley.truth
    for place, key in enumerate(answers):
        answers[key] = "" if place % 10 == 0 else answers[key]
    first = next(iter(answers))
    del answers[first]
    second = {key: ("woods" if place % 7 == 1 else answer) for place, (key, answer) in enumerate(answers.items())}
    valley.write_points(answers, second)
    found = valley.estimate()
    unanswered = -(-len(valley.units) // 10)
    assert found.answered == len(valley.units) - unanswered
    assert found.cautions[0].startswith(
        f"{unanswered} of {len(valley.units)} units have no reference class (1 are not in the file)"
    )
    assert "If these are the difficult places, the map looks better than it is." in found.cautions[0]
    assert found.agreement is not None
    assert 0.8 < found.agreement.share.low < found.agreement.share.value < 1


def test_a_new_map_is_assessed_with_the_old_sample(valley: Valley):
    valley.write_points(valley.truth)
    old = valley.estimate()
    valley.maps.write_landcover(valley.landcover, np.where(MAPPED == 255, MAPPED, TRUTH))
    found = valley.estimate()
    assert found.overall.value == 1
    assert found.map_sha256 != found.sampled_map_sha256 == old.sampled_map_sha256
    assert "The sample was drawn from an earlier map" in found.cautions[0]
    assert [row.area_ha for row in found.classes] == [row.area_ha for row in old.classes]
    assert not any(row.misleading for row in found.classes)


def test_a_new_map_of_more_ground_has_a_caution(valley: Valley):
    """The first 4 rows had no class when the sample was drawn."""
    valley.write_points(valley.truth)
    valley.maps.write_landcover(valley.landcover, TRUTH)
    found = valley.estimate()
    assert sum(row.area_ha.value for row in found.classes) == pytest.approx(232, rel=2e-3)
    assert "The map covers 240" in found.cautions[1] and "the sample was drawn from 232" in found.cautions[1]
    assert "they cannot be compared" in found.cautions[1]


def test_points_of_the_report_have_the_classes_of_a_new_map(valley: Valley):
    valley.write_points(valley.truth)
    valley.estimate()
    valley.maps.write_landcover(valley.landcover, np.where(MAPPED == 255, MAPPED, TRUTH))
    settings = RenderReport.from_json(stage_json(load_settings({"legend": valley.maps.LEGEND}), RenderReport))
    sample_points = valley.stage("render_report").__globals__["sample_points"]
    points = sample_points(valley.points, valley.files.published_design, valley.landcover, settings)
    assert len(points) == len(valley.units) and all(point.mapped == point.reference for point in points)


def test_areas_by_zone(valley: Valley):
    x0, y0 = valley.maps.ORIGIN
    halves = [shapely.box(x0, y0 - 1200, x0 + 1105, y0), shapely.box(x0 + 1105, y0 - 1200, x0 + 2000, y0)]
    path = valley.folder / "zones.gpkg"
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array(halves)), [np.array(["west", "east"], object)], ["name"],
        crs=valley.maps.CRS, geometry_type="Polygon", driver="GPKG",
    )  # fmt: skip
    valley.write_points(valley.truth)
    found = valley.estimate(zones=str(path), zone_field="name")
    assert [zone.name for zone in found.zones] == ["west", "east"]
    west, east = found.zones
    assert west.mapped_ha == pytest.approx(116 * 110.5 / 100, rel=2e-3)
    counted = [sum(zone.classes[index].counted_ha for zone in found.zones) for index in range(3)]
    assert counted == pytest.approx([row.counted_ha for row in found.classes])
    for index, code in enumerate(NAMES):
        area = west.classes[index].area_ha
        assert area is not None
        inside = (TRUTH[4:, :110] == code).sum() + 0.5 * (TRUTH[4:, 110] == code).sum()
        assert area.low <= inside / 100 <= area.high
    assert west.units + east.units == len(valley.units)
    rows = valley.files.estimates_table.read_text().splitlines()
    assert sum(row.startswith("east,fields,3,") for row in rows) == 2


def test_faults_of_the_answers_are_in_one_message(valley: Valley):
    answers = valley.truth
    first, second, *_ = answers
    valley.write_points({**answers, first: "lava", second: "lava", "77": "water"})
    with valley.points.open("a") as file:
        file.write(f"{list(answers)[2]},{'woods' if list(answers.values())[2] == 'water' else 'water'},\n")
    with pytest.raises(SampleError) as caught:
        valley.estimate()
    text = str(caught.value)
    assert "3 error(s)" in text
    assert "1 unit(s) are not in the sample: 77; remove these rows" in text
    assert "1 unit(s) occur twice with different answers" in text
    assert "classes that are not in the legend: 'lava' (2 times); use 1 or water, 2 or woods, 3 or fields" in text
    assert caught.value.exit_code == 33
    assert not valley.files.estimates.exists()


AWAY = r"are at another place than in the sample: .*restore the coordinates of the sample's files"


def test_a_column_that_was_sorted_apart_is_refused(valley: Valley):
    """The answers are right for the places, but the ids are those of other rows."""
    truth = valley.truth
    with valley.files.table.open(encoding="utf-8-sig", newline="") as file:
        rows = [{**row, "reference": truth[row["id"]]} for row in csv.DictReader(file)]
    ids = sorted((row["id"] for row in rows), reverse=True)
    for name, ids_of_rows in (("right", [row["id"] for row in rows]), ("apart", ids)):
        with (valley.folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
            writer.writeheader()
            writer.writerows(
                {**row, "id": key, "longitude": row["longitude"].replace(".", ","), "map_y": row["map_y"].split(".")[0]}
                for row, key in zip(rows, ids_of_rows, strict=True)
            )
    valley.points = valley.folder / "right.csv"
    valley.estimate()
    valley.points = valley.folder / "apart.csv"
    with pytest.raises(SampleError, match=AWAY):
        valley.estimate()


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
def test_points_that_were_moved_are_refused(valley: Valley, crs: str):
    info, _, wkb, columns = pyogrio.raw.read(valley.files.geopackage)
    columns[5] = np.array([valley.truth[str(key)] for key in columns[0]], object)
    to_crs = pyproj.Transformer.from_crs("EPSG:32633", crs, always_xy=True)
    valley.points = valley.folder / "points.gpkg"
    for dx in (0, 30):
        outlines = shapely.from_wkb(wkb)
        outlines[7] = shapely.transform(outlines[7], lambda points, dx=dx: points + [dx, 0])
        outlines = shapely.transform(outlines, to_crs.transform, interleaved=False)
        pyogrio.raw.write(
            valley.points, shapely.to_wkb(outlines), columns, info["fields"], crs=crs, geometry_type="Polygon",
            driver="GPKG",
        )  # fmt: skip
        if not dx:
            valley.estimate()
    with pytest.raises(SampleError, match=rf"1 unit\(s\) {AWAY}"):
        valley.estimate()


def test_a_sample_of_another_region_is_refused(valley: Valley, tmp_path: Path, stage: Stage):
    """Ids depend on the seed and the position in the map, so maps of equal width share them."""
    place = valley.maps.ORIGIN
    valley.maps.ORIGIN = place[0] + 5000, place[1]
    try:
        other = Valley(tmp_path / "other", stage, valley.maps)
    finally:
        valley.maps.ORIGIN = place
    assert {unit.id for unit in other.units} == {unit.id for unit in valley.units}
    lines = other.files.table.read_text(encoding="utf-8-sig").splitlines()
    valley.points.write_text("\n".join([lines[0], *(line.replace(",,,,", ",water,,,") for line in lines[1:])]))
    with pytest.raises(SampleError, match=AWAY):
        valley.estimate()


def test_a_stratum_without_answers_is_refused(valley: Valley):
    fields = {unit.id for unit in valley.units if unit.map_code == 3}
    valley.write_points({key: answer for key, answer in valley.truth.items() if key not in fields})
    with pytest.raises(SampleError, match=r"fewer than 2 answered units in strata fields \(0 of \d+\)"):
        valley.estimate()


def test_a_class_of_one_pixel(tmp_path: Path, stage: Stage, sampled_maps: Any):
    mapped = np.where(MAPPED == 3, np.uint8(2), MAPPED)
    mapped[60, 120] = 3
    valley = Valley(tmp_path, stage, sampled_maps, mapped)
    valley.write_points(valley.truth)
    fields = valley.estimate().classes[2]
    assert fields.map_units == 1 and fields.users_accuracy is not None and fields.users_accuracy.value == 1
    assert fields.area_ha.low <= 16 <= fields.area_ha.high


def test_nodata_under_a_point_is_refused(valley: Valley):
    valley.write_points(valley.truth)
    valley.maps.write_landcover(valley.landcover, np.where(TRUTH == 3, np.uint8(255), MAPPED))
    with pytest.raises(SampleError, match=r"has no class at \d+ of \d+ answered units.*move the files of the old one"):
        valley.estimate()


def test_a_map_on_another_grid_is_refused(valley: Valley):
    valley.write_points(valley.truth)
    valley.maps.write_landcover(valley.landcover, MAPPED[:-1])
    with pytest.raises(SampleError, match=r"grid of 119 x 200 px is not that of the map .* \(120 x 200 px\)"):
        valley.estimate()


def test_a_sample_of_another_seed_is_refused(valley: Valley):
    valley.write_points({str(10**9 + number): "water" for number in range(50)})
    with pytest.raises(SampleError, match="none of its units is in the sample that was drawn from valley with seed 3"):
        valley.estimate()


def test_a_class_that_is_never_mapped_is_estimated(valley: Valley):
    """All fields are mapped as woods."""
    valley.maps.write_landcover(valley.landcover, np.where(MAPPED == 3, np.uint8(2), MAPPED))
    valley.write_points(valley.truth)
    fields = valley.estimate().classes[2]
    assert fields.counted_ha == 0
    assert fields.users_accuracy is None and fields.producers_accuracy is not None
    assert fields.producers_accuracy.value == 0
    assert fields.area_ha.low <= 16 <= fields.area_ha.high and fields.misleading


def test_a_missing_design_says_what_to_do(valley: Valley):
    valley.write_points(valley.truth)
    valley.files.design.unlink()
    with pytest.raises(StoreError, match="draw_sample"):
        valley.estimate()


def test_the_document_has_no_number_that_json_lacks(valley: Valley):
    valley.maps.write_landcover(valley.landcover, np.where(MAPPED == 255, MAPPED, TRUTH))
    valley.write_points(valley.truth)
    valley.estimate()
    json.loads(valley.files.estimates.read_text(), parse_constant=lambda name: pytest.fail(name))
