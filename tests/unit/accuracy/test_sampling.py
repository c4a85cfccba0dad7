import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.transform import from_origin

from clairemap.accuracy.answers import Answer, read_answers
from clairemap.accuracy.places import Place, moved_units
from clairemap.accuracy.sample_files import HEADER, kept_answers, write_sample
from clairemap.accuracy.sampling import SampleSize, sample_of
from clairemap.accuracy.strata import Buffer, Stratification
from clairemap.artefacts.sample_design import DesignUnit, SampleDesign, read_sample_design, write_sample_design
from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import SampleError
from clairemap.raster.source import RasterSource

LEGEND = Legend(classes=(LandCoverClass(code=5, name="water"), LandCoverClass(code=2, name="forest")))
CODES = np.where(np.arange(200 * 150).reshape(150, 200) % 200 < 40, 5, 2).astype(np.uint8)


def write_map(path: Path, codes: np.ndarray = CODES, crs: str | None = "EPSG:32633", **profile: Any) -> Path:
    transform = profile.pop("transform", from_origin(5e5, 5e6, 10, 10))
    height, width = codes.shape
    with rasterio.open(path, "w", "GTiff", width, height, 1, crs, transform, "uint8", nodata=255, **profile) as file:
        file.write(codes, 1)
    return path


@pytest.fixture
def landcover(tmp_path: Path) -> Path:
    return write_map(tmp_path / "alps.landcover.tif")


def sample(path: Path, units: int | None = 120, **options: Any) -> SampleDesign:
    size = SampleSize(
        units, 0.05, np.array([0.8, 0.9]), options.pop("per_stratum", 30), of_class=options.pop("of_class", None)
    )
    stratification = options.pop("stratification", Stratification(LEGEND))
    chosen = {"seed": 3, "distance_px": 0.0, "stamp": {}, **options}
    return sample_of(path, stratification, size, **chosen)


def test_design_says_what_estimates_need(landcover: Path, tmp_path: Path):
    design = sample(landcover)
    assert design.map == "alps"
    assert [(each.name, each.pixels, each.area_m2, each.units) for each in design.strata] == [
        ("water", 6000, pytest.approx(6e5, rel=2e-3), 30),
        ("forest", 24000, pytest.approx(2.4e6, rel=2e-3), 90),
    ]
    for unit in design.units:
        assert CODES[unit.row, unit.column] == unit.map_code == LEGEND.codes[unit.stratum]
        assert unit.probability == pytest.approx(30 / 6000 if unit.stratum == 0 else 90 / 24000)
    write_sample_design(tmp_path / "design.json", design)
    assert read_sample_design(tmp_path / "design.json") == design


def test_a_larger_sample_has_the_smaller_one(landcover: Path):
    small, large = sample(landcover), sample(landcover, units=300)
    assert {unit.id for unit in small.units} < {unit.id for unit in large.units}


def test_size_from_the_half_width(landcover: Path):
    """With few units per stratum at least, Cochran's formula: 1 / (0.05 / 1.96)**2 * (0.2 * 0.4 + 0.8 * 0.3)**2."""
    design = sample(landcover, units=None, per_stratum=2)
    assert len(design.units) == pytest.approx((1.96 / 0.05) ** 2 * (0.2 * 0.4 + 0.8 * 0.3) ** 2, abs=3)


def test_size_from_the_half_width_of_an_area(landcover: Path):
    """Shares of water: 0.8 in its own stratum, 0.1 in forest, since it is the only other class."""
    design = sample(landcover, units=None, per_stratum=2, of_class=0)
    spread = 0.2 * np.sqrt(0.8 * 0.2) + 0.8 * np.sqrt(0.1 * 0.9)
    assert len(design.units) == pytest.approx((1.96 / 0.05) ** 2 * spread**2, rel=0.03)


def test_ids_do_not_tell_the_stratum(landcover: Path):
    design = sample(landcover, units=400)
    ordered = sorted(design.units, key=lambda unit: unit.id)
    first = np.mean([unit.stratum for unit in ordered[:200]])
    second = np.mean([unit.stratum for unit in ordered[200:]])
    assert abs(first - second) < 0.15


def test_pixels_in_degrees_have_areas_on_the_ellipsoid(tmp_path: Path):
    path = write_map(tmp_path / "a.landcover.tif", crs="EPSG:4326", transform=from_origin(10, 60, 0.1, 0.1))
    design = sample(path)
    north = min(design.units, key=lambda unit: unit.row)
    south = max(design.units, key=lambda unit: unit.row)
    assert south.area_m2 > 1.1 * north.area_m2
    mean = np.mean([unit.area_m2 for unit in design.units if unit.stratum == 1])
    assert mean == pytest.approx(design.strata[1].area_m2 / design.strata[1].pixels, rel=0.05)


def test_files_hide_the_map_and_have_a_place_for_answers(landcover: Path, tmp_path: Path):
    design = sample(landcover)
    table, geopackage = tmp_path / "s.csv", tmp_path / "s.gpkg"
    with RasterSource(landcover) as source:
        write_sample(table, geopackage, design.units, source.geobox, {})
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == HEADER
    assert [row["id"] for row in rows] == sorted(unit.id for unit in design.units)
    unit = next(unit for unit in design.units if unit.id == rows[0]["id"])
    assert float(rows[0]["map_x"]) == 500000 + 10 * (unit.column + 0.5)
    assert float(rows[0]["map_y"]) == 5000000 - 10 * (unit.row + 0.5)
    info, _, geometry, columns = pyogrio.raw.read(geopackage)
    assert list(info["fields"]) == list(HEADER)
    assert info["crs"] == "EPSG:32633"
    assert columns[0].tolist() == [int(row["id"]) for row in rows]
    assert all(10**9 <= number < 2**31 for number in columns[0])
    assert all(value is None for value in columns[5])
    assert len(geometry) == 120


def test_longitudes_beyond_180_degrees_are_wrapped(tmp_path: Path):
    grid = GeoBox((2, 10), Affine(1, 0, 175, 0, -1, 0), "EPSG:4326")
    units = [DesignUnit(str(column), 0, column, 0, column, 5, 1.0, 1.0) for column in range(10)]
    write_sample(tmp_path / "s.csv", tmp_path / "s.gpkg", units, grid, {})
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [float(row["longitude"]) for row in rows] == [175.5, 176.5, 177.5, 178.5, 179.5, *np.arange(-179.5, -175)]
    assert [float(row["map_x"]) for row in rows] == list(np.arange(175.5, 185))
    places = [(row["id"], (Place(float(row["longitude"]), float(row["latitude"]), "EPSG:4326"),)) for row in rows]
    assert not moved_units(places, {unit.id: unit for unit in units}, grid)


def test_answers_are_kept_in_a_longer_sample(landcover: Path, tmp_path: Path):
    table, geopackage = tmp_path / "s.csv", tmp_path / "s.gpkg"
    short, long = sample(landcover), sample(landcover, units=200)
    answers = {short.units[4].id: Answer(short.units[4].id, "water", "forest", "low", "near the river")}
    with RasterSource(landcover) as source:
        write_sample(table, geopackage, short.units, source.geobox, answers)
        kept = kept_answers([table, geopackage], long)
        assert kept == answers
        write_sample(table, geopackage, long.units, source.geobox, kept)
    for path in (table, geopackage):
        assert [answer for answer in read_answers(path) if answer.is_touched] == list(answers.values())


def test_a_sample_without_answered_units_is_refused(landcover: Path, tmp_path: Path):
    table, geopackage = tmp_path / "s.csv", tmp_path / "s.gpkg"
    design, other = sample(landcover), sample(landcover, seed=4)
    answers = {unit.id: Answer(unit.id, "water") for unit in design.units[:7]}
    with RasterSource(landcover) as source:
        write_sample(table, geopackage, design.units, source.geobox, answers)
    with pytest.raises(SampleError, match=r"7 unit\(s\) have answers, 7 of them are not in the new sample"):
        kept_answers([table, geopackage], other)


def test_files_with_different_answers_are_refused(landcover: Path, tmp_path: Path):
    design = sample(landcover)
    first, second = design.units[0].id, tmp_path / "b.csv"
    with RasterSource(landcover) as source:
        write_sample(tmp_path / "a.csv", tmp_path / "a.gpkg", design.units, source.geobox, {first: Answer(first, "5")})
        write_sample(second, tmp_path / "b.gpkg", design.units, source.geobox, {first: Answer(first, "2")})
    with pytest.raises(SampleError, match=f"different answers for {first}"):
        kept_answers([tmp_path / "a.csv", second], design)


@pytest.mark.parametrize(
    ("codes", "crs", "options", "message"),
    [
        (np.full((10, 10), 255, np.uint8), "EPSG:32633", {}, "no mapped pixel"),
        (CODES, None, {}, "assign a CRS"),
        (CODES, "EPSG:32633", {"distance_px": 80.0}, r"stratum 'water' has \d units at a distance of 80 px"),
    ],
)
def test_maps_that_cannot_be_sampled(
    tmp_path: Path, codes: np.ndarray, crs: str | None, options: dict[str, float], message: str
):
    path = write_map(tmp_path / "a.landcover.tif", codes, crs)
    with pytest.raises(SampleError, match=message):
        sample(path, **options)


def test_strata_smaller_than_the_minimum_are_sampled_whole(tmp_path: Path):
    codes = np.full((50, 50), 2, np.uint8)
    codes[0, :7] = 5
    design = sample(write_map(tmp_path / "a.landcover.tif", codes), stratification=Stratification(LEGEND, Buffer(0, 2)))
    assert design.strata[0].units == 7
    assert design.strata[2].name == "near water"
    assert {unit.map_code for unit in design.units if unit.stratum == 2} == {2}


def test_a_share_of_the_sample_in_the_buffer(landcover: Path):
    size = SampleSize(200, 0.05, np.array([0.8, 0.9]), 10, buffer_share=0.25)
    design = sample_of(landcover, Stratification(LEGEND, Buffer(0, 2)), size, seed=3, distance_px=0, stamp={})
    assert design.strata[2].units == 50
    assert len(design.units) == pytest.approx(200, abs=2)
