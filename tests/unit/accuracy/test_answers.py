from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely

from clairemap.accuracy.answers import Answer, read_answers
from clairemap.accuracy.interpretation import UNANSWERED, interpreted
from clairemap.artefacts.sample_design import DesignStratum, DesignUnit, SampleDesign
from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import SampleError

LEGEND = Legend(classes=(LandCoverClass(code=5, name="Water"), LandCoverClass(code=20, name="Forêt")))


def design(*ids: str) -> SampleDesign:
    units = tuple(DesignUnit(name, 0, rank, 0, rank, 5, 100.0, 0.1) for rank, name in enumerate(ids))
    strata = (DesignStratum("Water", 100, 1e4, len(ids)),)
    return SampleDesign({}, "alps", "0", 10, 10, (1, 0, 0, 0, -1, 0), "EPSG:32633", 7, 0, "planar", strata, units)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("id,reference,remark\na1,Forêt,\nb2,5,\n", "utf-8"),
        ("id;longitude;reference\r\na1;10,25;Forêt\r\nb2;11,5;5\r\n", "cp1252"),
        ("ID\tReference\na1\tforêt\nb2\tWATER\n", "utf-16"),
        ("plotid,lon,lat,class\na1,1,2,Forêt\nb2,1,2,5.0\n", "utf-8-sig"),
        ("sep=;\r\nid;reference\r\na1;20,0\r\nb2;5,0\r\n", "cp1252"),
        ('"id";"remark";"reference"\n"a1";"a; b\nc";"Forêt"\n"b2";"";"5"\n', "utf-8"),
    ],
)
def test_spreadsheets_in_their_ways(tmp_path: Path, text: str, encoding: str):
    path = write(tmp_path / "points.csv", text, encoding)
    found = interpreted(path, read_answers(path), design("b2", "a1"), LEGEND)
    assert found.reference.tolist() == [0, 1]
    assert found.second.tolist() == [UNANSWERED] * 2


def test_whole_numbers_with_decimals_are_ids(tmp_path: Path):
    path = write(tmp_path / "points.csv", "id;reference\n1002836923,00;5\n")
    assert read_answers(path) == [Answer("1002836923", "5")]


ACATAMA = {
    "ID": np.array([1002836923, 1009564589, 1019755814], np.int32),
    "Label": np.array(["Forêt", "Water", None], object),
    "Is labeled as": np.array([20, 5, np.nan]),
    "In thematic map as": np.array([5, 5, np.nan]),
    "Match": np.array(["No", "Yes", None], object),
}
"""Fields that AcATaMa's `save_sampling_labeled` writes, for a sample with a thematic map."""


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_acatama(tmp_path: Path, suffix: str):
    path = tmp_path / f"labeled{suffix}"
    points = shapely.to_wkb(shapely.points([[500, 900], [510, 900], [520, 900]]))
    pyogrio.raw.write(
        path, points, list(ACATAMA.values()), list(ACATAMA), geometry_type="Point", crs="EPSG:32633",
        driver={".gpkg": "GPKG", ".shp": "ESRI Shapefile"}[suffix],
    )  # fmt: skip
    answers = read_answers(path)
    assert answers == [Answer("1002836923", "20"), Answer("1009564589", "5"), Answer("1019755814", "")]


def test_acatama_without_a_thematic_map(tmp_path: Path):
    fields = {"ID": ACATAMA["ID"], "Label": ACATAMA["Label"], "Label ID": np.array([2, 1, np.nan])}
    path = tmp_path / "labeled.gpkg"
    pyogrio.raw.write(
        path, shapely.to_wkb(shapely.points([[0, 0]] * 3)), list(fields.values()), list(fields),
        geometry_type="Point", crs="EPSG:32633", driver="GPKG",
    )  # fmt: skip
    assert [answer.reference for answer in read_answers(path)] == ["Forêt", "Water", ""]


COLLECT_EARTH_ONLINE = (
    "\ufeffplotid,sampleid,lon,lat,email,flagged,collection_time,analysis_duration,imagery_title,imagery_attributions,"
    "sample_geom,pl_map_x,pl_map_y,Land cover\n"
    '1002836923,1,10.1,46.2,a@b.org,false,2026-05-14 10:31,12.3 secs,Mapbox,"© Mapbox, © Maxar",POINT(1 2),1,2,Forêt\n'
    "1009564589,1,10.2,46.2,a@b.org,false,2026-05-14 10:32,8.0 secs,Mapbox,© Mapbox,POINT(1 2),1,2,Water\n"
    "1019755814,1,10.3,46.2,a@b.org,true,2026-05-14 10:33,,,,POINT(1 2),1,2,\n"
)
"""Header and rows as `dump-project-raw-data!` writes them; the sample was uploaded with `id` renamed to `plotid`."""


def test_sample_data_of_collect_earth_online(tmp_path: Path):
    path = write(tmp_path / "ceo-alps-sample-data-2026-05-14.csv", COLLECT_EARTH_ONLINE)
    answers = read_answers(path)
    assert answers == [Answer("1002836923", "Forêt"), Answer("1009564589", "Water"), Answer("1019755814", "")]
    renamed = write(tmp_path / "points.csv", COLLECT_EARTH_ONLINE.replace("Land cover", "What is at the point?"))
    assert read_answers(renamed, {"reference": "What is at the point?"}) == answers


def test_plot_data_of_collect_earth_online_are_refused(tmp_path: Path):
    header = (
        "plotid,center_lon,center_lat,shape,size_m,sample_points,email,flagged,flagged_reason,collection_time,"
        "analysis_duration,common_securewatch_date,total_securewatch_dates,Land cover:Forêt,Land cover:Water\n"
    )
    with pytest.raises(SampleError, match="download its sample data"):
        read_answers(write(tmp_path / "points.csv", header))


def test_vector_files(tmp_path: Path):
    geojson = (
        '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":null,"properties":'
        '{"id":"a1","reference":20,"confidence":null}},{"type":"Feature","geometry":null,"properties":'
        '{"id":"b2","reference":null,"confidence":"low"}}]}'
    )
    answers = read_answers(write(tmp_path / "points.geojson", geojson))
    assert answers == [Answer("a1", "20"), Answer("b2", "", confidence="low")]
    assert [answer.is_touched for answer in answers] == [True, True]


def write_layer(path: Path, layer: str, fields: dict[str, np.ndarray], **options: Any) -> None:
    points = shapely.to_wkb(shapely.points([[500, 900]] * len(next(iter(fields.values())))))
    pyogrio.raw.write(
        path, points, list(fields.values()), list(fields), layer=layer, driver="GPKG", geometry_type="Point",
        crs="EPSG:32633", append=path.exists(), **options,
    )  # fmt: skip


def test_the_layer_with_answers_is_read(tmp_path: Path):
    path = tmp_path / "points.gpkg"
    write_layer(path, "layer_styles", {"id": np.array([1]), "styleName": np.array(["red"], object)})
    write_layer(path, "edited", {"id": np.array([7]), "reference": np.array(["Water"], object)})
    assert read_answers(path) == [Answer("7", "Water")]
    write_layer(path, "sample", {"id": np.array([7]), "reference": np.array(["Forêt"], object)})
    with pytest.raises(SampleError, match=r"has several layers with answers \(edited, sample\); save the one"):
        read_answers(path)


def test_unanswered_and_missing_units_are_kept_and_counted(tmp_path: Path):
    path = write(tmp_path / "points.csv", "id,reference,reference_2\na1,Water,Forêt\nb2,,\n")
    found = interpreted(path, read_answers(path), design("a1", "b2", "c3"), LEGEND)
    assert found.reference.tolist() == [0, UNANSWERED, UNANSWERED]
    assert found.second.tolist() == [1, UNANSWERED, UNANSWERED]
    assert found.answered.tolist() == [True, False, False]
    assert found.missing == 1


def test_other_column_names_by_setting(tmp_path: Path):
    path = write(tmp_path / "points.csv", "Punkt,Klasse\na1,20\n")
    assert read_answers(path, {"id": "Punkt", "reference": "klasse"}) == [Answer("a1", "20")]


def test_all_faults_are_in_one_message(tmp_path: Path):
    path = write(tmp_path / "points.csv", "id,reference\na1,Water\na1,Forêt\nzz,Ice\nb2,Ice\n")
    with pytest.raises(SampleError) as caught:
        interpreted(path, read_answers(path), design("a1", "b2"), LEGEND)
    text = str(caught.value)
    assert "3 error(s)" in text
    assert "1 unit(s) are not in the sample: zz" in text
    assert "1 unit(s) occur twice with different answers: a1" in text
    assert "'Ice' (2 times); use 5 or Water, 20 or Forêt" in text


def test_rows_that_say_the_same_twice_are_one_answer(tmp_path: Path):
    path = write(tmp_path / "points.csv", "id,reference\na1,Water\na1,Water\n")
    assert np.array_equal(interpreted(path, read_answers(path), design("a1"), LEGEND).reference, [0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,reference\nx1,Water\n", "none of its units is in the sample that was drawn from alps with seed 7"),
        ("id,reference\na1,\n", "no unit has a reference class"),
        ("id,reference\na1,Water\n,Water\n,Forêt\n", r"1 error\(s\)\n  2 row\(s\) have no id; enter it"),
        ("id,reference\n1.00012E+09,Water\na1,Water\n", r"1 id\(s\) were rewritten by a spreadsheet.*1.00012E\+09"),
        ("id;reference\n1.000.120.000;Water\n", "rewritten by a spreadsheet, such as '1.000.120.000': copy the column"),
        ("id,klasse\na1,Water\n", r"no column reference or .*accuracy.columns.reference"),
        ("", "is empty or not a CSV table"),
        ("id,reference,Reference\na1,Water,Forêt\n", "has several columns 'reference'; delete or rename"),
        (
            "id;remark;reference\nb2;;Water\na1;ponds;Water;Forêt\n",
            r"1 row\(s\) have more cells than the header.*: row 3; put texts that contain ';' in quotation marks",
        ),
    ],
)
def test_faults(tmp_path: Path, text: str, message: str):
    path = write(tmp_path / "points.csv", text)
    with pytest.raises(SampleError, match=message):
        interpreted(path, read_answers(path), design("a1"), LEGEND)


def test_texts_of_several_classes_are_refused(tmp_path: Path):
    legend = Legend(classes=tuple(LandCoverClass(code=code, name=str(code + 1)) for code in (0, 1, 5)))
    path = write(tmp_path / "points.csv", "id,reference\na1,0\nb2,2\n")
    assert interpreted(path, read_answers(path), design("a1", "b2"), legend).reference.tolist() == [0, 1]
    write(path, "id,reference\na1,0\nb2,1\n")
    with pytest.raises(SampleError, match=r"'1' \(1 times\) is the name or code of several classes: 0 '1', 1 '2'"):
        interpreted(path, read_answers(path), design("a1", "b2"), legend)


def test_codes_of_another_legend_are_refused(tmp_path: Path):
    """Code 5 was water when the sample was drawn; the strata still say so."""
    legend = Legend(classes=(LandCoverClass(code=5, name="Forêt"), LandCoverClass(code=20, name="Water")))
    path = write(tmp_path / "points.csv", "id,reference\na1,water\n")
    assert interpreted(path, read_answers(path), design("a1"), legend).reference.tolist() == [1]
    write(path, "id,reference\na1,5\n")
    assert interpreted(path, read_answers(path), design("a1"), LEGEND).reference.tolist() == [0]
    with pytest.raises(
        SampleError, match=r"code 5 \(1 times\) had another class .*: 'Water', now 'Forêt'; enter names"
    ):
        interpreted(path, read_answers(path), design("a1"), legend)


def test_missing_and_damaged_files(tmp_path: Path):
    with pytest.raises(SampleError, match="does not exist"):
        read_answers(tmp_path / "points.csv")
    with pytest.raises(SampleError, match="cannot be read"):
        read_answers(write(tmp_path / "points.gpkg", "not a GeoPackage"))
