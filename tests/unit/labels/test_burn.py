"""Polygons on a grid of 10 m, in all formats and CRSs."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
import pytest
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX, SourceLegend
from clairemap.errors import GridError, LabelError, MissingFileError, NoOverlapError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.labels.burn import BurnTally, scratch_canvas
from clairemap.labels.canvas import OVERLAP
from clairemap.labels.checks import burner_of, check_tally
from clairemap.labels.vector_files import open_layer
from clairemap.settings import PolygonSettings

UTM = "EPSG:32633"
GRID = GeoBox((40, 50), Affine(10, 0, 500_000, 0, -10, 5_400_000), UTM)
LEGEND = SourceLegend.model_validate(
    {"classes": [{"code": 1, "name": "water"}, {"code": 2, "name": "woods", "from": [311, "Wald"]}], "ignore": [0]}
)
FORMATS = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile", "fgb": "FlatGeobuf", "parquet": "Parquet"}
Column = list[Any]


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Geometry:
    """Return a rectangle between pixels (columns x, rows y) of the grid."""
    return shapely.box(500_000 + 10 * x0, 5_400_000 - 10 * y1, 500_000 + 10 * x1, 5_400_000 - 10 * y0)


def write(path: Path, shapes: list[Any], values: Column | None = None, crs: str | None = UTM, **options: Any) -> Path:  # noqa: ANN401
    """Write features with a column ``kind``; other CRSs than the grid's get its coordinates transformed."""
    geometries = np.array(shapes, object)
    if crs is not None and crs != UTM:
        move = pyproj.Transformer.from_crs(UTM, crs, always_xy=True)
        geometries = shapely.transform(geometries, lambda xy: np.stack(move.transform(xy[:, 0], xy[:, 1]), axis=1))
    wkb = np.array([None if shape is None else shapely.to_wkb(shape) for shape in geometries], object)
    column = np.array(values if values is not None else [1] * len(shapes))
    driver = FORMATS[path.suffix[1:]]
    if driver == "Parquet":
        table = pa.table({"kind": pa.array(column.tolist()), "geometry": pa.array(list(wkb), pa.binary())})
        described = {"encoding": "WKB", "geometry_types": [], "crs": pyproj.CRS(crs).to_json_dict() if crs else None}
        geo = {"version": "1.0.0", "primary_column": "geometry", "columns": {"geometry": described}}
        pq.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
        return path
    kind = options.pop("geometry_type", "Polygon" if driver == "ESRI Shapefile" else "Unknown")
    pyogrio.raw.write(
        path, wkb, [column], np.array(["kind"]), geometry_type=kind, crs=crs, driver=driver, **options
    )  # fmt: skip
    return path


def burnt(path: Path, grid: GeoBox = GRID, threads: int = 1, **settings: Any) -> tuple[NDArray[np.uint8], BurnTally]:  # noqa: ANN401
    """Return the class index of each pixel, and the counts."""
    chosen = PolygonSettings(**{"field": "kind", **settings})
    burner = burner_of(open_layer(path, chosen.layer), grid, LEGEND, chosen, threads)
    with scratch_canvas(path.with_name("label.tif"), grid) as canvas:
        tally = burner.burn(canvas)
        check_tally(burner, tally)
        return canvas.read(Window.whole(grid.shape.yx)), tally


def filled(*boxes: tuple[int, int, int, int, int]) -> NDArray[np.uint8]:
    """Return class indices with rectangles (x0, y0, x1, y1, index)."""
    expected = np.full(GRID.shape.yx, IGNORE_INDEX, np.uint8)
    for x0, y0, x1, y1, index in boxes:
        expected[y0:y1, x0:x1] = index
    return expected


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:3035", "EPSG:32632"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_and_crs_gives_the_same_pixels(tmp_path: Path, suffix: str, crs: str):
    shapes = [box(2.1, 3.2, 20.3, 15.4), box(20.3, 3.2, 30.1, 15.4), box(40, 30, 70, 60), box(200, 200, 210, 210)]
    found, tally = burnt(write(tmp_path / f"l.{suffix}", shapes, ["water", "311", "Wald", "Wald"], crs))
    assert np.array_equal(found, filled((2, 3, 20, 15, 0), (20, 3, 30, 15, 1), (40, 30, 50, 40, 1)))
    assert (tally.on_grid, tally.burnt, tally.repaired, tally.without_pixel) == (3, 3, 0, 0)
    assert {value: counts.tolist() for value, counts in tally.values.items()} == {
        "water": [1, 18 * 12], "311": [1, 120], "Wald": [1, 100]
    }  # fmt: skip


@pytest.mark.parametrize(
    "values",
    [[1, 311, 0], [1.0, 311.0, 0.0], ["1", "311", "0"], ["water", "Wald", "clouds"], [" water ", "311 ", "clouds"]],
)
def test_values_are_numbers_or_text(tmp_path: Path, values: Column):
    path = write(tmp_path / "l.gpkg", [box(0, 0, 5, 5), box(5, 0, 10, 5), box(10, 0, 15, 5)], values)
    found, tally = burnt(path, ignore=["clouds"])
    assert np.array_equal(found, filled((0, 0, 5, 5, 0), (5, 0, 10, 5, 1)))
    assert tally.ignored == 1 and tally.burnt == 2


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_what_is_not_used_is_counted(tmp_path: Path, crs: str):
    bow_tie = shapely.Polygon([(500_000, 5_399_900), (500_100, 5_399_800), (500_100, 5_399_900), (500_000, 5_399_800)])
    shapes = [
        box(20, 0, 30, 10), box(25, 0, 35, 10), bow_tie, shapely.Point(500_100, 5_399_900), None,
        box(40, 20, 40.2, 20.2), box(40, 0, 50, 10), box(900, 0, 910, 10), shapely.LineString([(0, 0), (1, 1)]),
    ]  # fmt: skip
    values = ["water", "Wald", "water", "water", "water", "Wald", "", "Wald", "Wald"]
    path = write(tmp_path / "l.geojson", shapes, values, crs)
    found, tally = burnt(path)
    expected = filled((20, 0, 25, 10, 0), (25, 0, 30, 10, OVERLAP), (30, 0, 35, 10, 1))
    expected[10:20, :10] = found[10:20, :10]
    assert np.array_equal(found, expected)
    rows, columns = np.indices((10, 10)) - 4.5
    assert (found[10:20, :10][np.abs(columns) > np.abs(rows)] == 0).all()  # left and right of the crossing
    assert (found[10:20, :10][np.abs(columns) < np.abs(rows)] == IGNORE_INDEX).all()
    assert (tally.on_grid, tally.burnt, tally.no_value, tally.not_polygons) == (5, 4, 1, 1)
    assert (tally.repaired, tally.without_pixel, tally.unusable, tally.ignored) == (1, 1, 0, 0)


def test_holes_parts_and_collections(tmp_path: Path):
    ring = box(0, 0, 20, 20).difference(box(5, 5, 15, 15))
    parts = shapely.MultiPolygon([box(30, 0, 35, 5), box(40, 0, 45, 5)])
    mixed = shapely.GeometryCollection([parts.geoms[0], shapely.Point(0, 0), shapely.MultiPolygon([box(8, 8, 10, 10)])])
    found, tally = burnt(write(tmp_path / "l.gpkg", [ring, parts, mixed], [1, 1, 1]))
    expected = filled((0, 0, 20, 20, 0), (5, 5, 15, 15, IGNORE_INDEX), (8, 8, 10, 10, 0), (30, 0, 35, 5, 0))
    expected[0:5, 40:45] = 0
    assert np.array_equal(found, expected)
    assert tally.values[1].tolist() == [3, 300 + 50 + 29]
    assert tally.repaired == 0


def test_one_class_for_all_polygons(tmp_path: Path):
    path = write(tmp_path / "l.gpkg", [box(0, 0, 5, 5), box(3, 3, 8, 8)], [7, 8])
    for chosen in (2, "woods"):
        found, tally = burnt(path, field=None, polygon_class=chosen)
        assert np.array_equal(found, filled((0, 0, 5, 5, 1), (3, 3, 8, 8, 1)))
        assert tally.burnt == 2 and not tally.values


def test_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("clairemap.labels.features.BYTES_AT_ONCE", 2000)
    rng = np.random.default_rng(4)
    shapes = [
        shapely.Point(x, y).buffer(40)
        for x, y in zip(*(rng.uniform(0, 500, (2, 300)) + [[5e5], [5399600]]), strict=True)
    ]
    path = write(tmp_path / "l.fgb", shapes, rng.choice([1, 311, 0], 300).tolist())
    one, tally = burnt(path)
    three, others = burnt(path, threads=3)
    assert np.array_equal(one, three) and (one == OVERLAP).any()
    assert str(tally) == str(others) and tally.on_grid > 200


def test_long_edges_are_straight_in_the_crs_of_the_file(tmp_path: Path):
    """An edge along a parallel is bent in UTM: 3 degrees of longitude deviate by about 500 m at 48 degrees."""
    path = write(tmp_path / "l.geojson", [box(0, 0, 1, 1)], [1])
    text = json.loads(path.read_text())
    text["features"][0]["geometry"]["coordinates"] = [
        [[13.5, 48.5], [16.5, 48.5], [16.5, 48.7], [13.5, 48.7], [13.5, 48.5]]
    ]
    del text["crs"]
    path.write_text(json.dumps(text))
    x, y = pyproj.Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(15.0, 48.5)
    grid = GeoBox((60, 60), Affine(10, 0, x - 300, 0, -10, y + 300), UTM)
    found, _ = burnt(path, grid)
    assert (found[:29] == 0).all() and (found[32:] == IGNORE_INDEX).all()


def test_far_vertices_do_not_hinder(tmp_path: Path):
    """A polygon around half of the Earth: its vertices have no position in UTM."""
    path = tmp_path / "l.geojson"
    world = shapely.box(-170, -80, 170, 80).difference(shapely.box(15.001, 48.0, 16, 48.8))
    feature = {"type": "Feature", "properties": {"kind": 1}, "geometry": shapely.geometry.mapping(world)}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    found, tally = burnt(path)
    assert tally.unusable == 0 and tally.burnt == 1
    edge = pyproj.Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(15.001, 48.75)[0]
    columns = round((edge - 500_000) / 10)
    assert (found[:, :columns] == 0).all() and (found[:, columns + 1 :] == IGNORE_INDEX).all()


@pytest.mark.parametrize("west", [-180.5, 179.5])
def test_grids_across_the_180th_meridian(tmp_path: Path, west: float):
    grid = GeoBox((10, 100), Affine(0.01, 0, west, 0, -0.01, 10.1), "EPSG:4326")
    shapes = [shapely.box(179.6, 10, 179.8, 10.1), shapely.box(-179.8, 10, -179.6, 10.1)]
    path = tmp_path / "l.geojson"
    features = [{"type": "Feature", "properties": {"kind": 1}, "geometry": shapely.geometry.mapping(s)} for s in shapes]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found, tally = burnt(path, grid)
    assert tally.burnt == 2
    assert np.flatnonzero((found == 0).all(0)).tolist() == [*range(10, 30), *range(70, 90)]


def test_all_values_without_a_class_are_listed_with_their_pixels(tmp_path: Path):
    shapes = [box(0, 0, 10, 10), box(10, 0, 15, 10), box(15, 0, 20, 10), box(20, 0, 30, 10)]
    path = write(tmp_path / "l.gpkg", shapes, ["Acker", "Moor", "Acker", "Wald"])
    with pytest.raises(LabelError, match=r"(?s)'Acker' of 2 feature\(s\) \(150 px\), 'Moor' of 1 .*\(50 px\).*`from`"):
        burnt(path)


def no_crs(path: Path) -> Path:
    return write(path / "l.shp", [box(0, 0, 5, 5)], crs=None)


def two_layers(path: Path) -> Path:
    write(path / "l.gpkg", [box(0, 0, 5, 5)], layer="fields")
    return write(path / "l.gpkg", [box(0, 0, 5, 5)], layer="lakes")


def points(path: Path) -> Path:
    return write(path / "l.gpkg", [shapely.Point(500_100, 5_399_900)], geometry_type="Point")


def damaged(path: Path) -> Path:
    file = write(path / "l.gpkg", [box(0, 0, 5, 5)])
    file.write_bytes(b"not a GeoPackage")
    return file


def plain_table(path: Path) -> Path:
    pq.write_table(pa.table({"kind": [1]}), path / "l.parquet")
    return path / "l.parquet"


def curves(path: Path) -> Path:
    arc = struct.pack("<BII6d", 1, 8, 3, 5e5, 5.3999e6, 5.001e5, 5.3998e6, 5.002e5, 5.3999e6)
    chord = struct.pack("<BII4d", 1, 2, 2, 5.002e5, 5.3999e6, 5e5, 5.3999e6)
    compound = struct.pack("<BII", 1, 9, 2) + arc + chord
    curve_polygon = struct.pack("<BII", 1, 10, 1) + compound
    file = path / "l.parquet"
    write(file, [box(0, 0, 5, 5)])
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "geometry", pa.array([curve_polygon], pa.binary())), file)
    return file


def one(path: Path) -> Path:
    return write(path / "l.gpkg", [box(0, 0, 5, 5)])


@pytest.mark.parametrize(
    ("made", "settings", "error", "message"),
    [
        (one, {"field": "Kind of use"}, LabelError, r"no column 'Kind of use'; .* columns: kind \(Integer"),
        (one, {"field": None}, LabelError, r"set labels.field .*columns: kind \(Integer.*labels.polygon_class"),
        (one, {"field": None, "polygon_class": "Wald"}, LabelError, r"polygon_class is 'Wald', .*\(1 water, 2 woods\)"),
        (one, {"layer": "lakes"}, LabelError, r"has no layer 'lakes'; .*: l \(Unknown\)"),
        (two_layers, {}, LabelError, r"has 2 layers with polygons; set labels.layer to one of: fields .*, lakes"),
        (points, {}, LabelError, r"no layer with polygons \(layers: l \(Point\)\)"),
        (no_crs, {}, GridError, r"l.shp, layer 'l': has no CRS \(a shapefile needs its .prj file\).*-a_srs"),
        (damaged, {}, UnreadableFileError, r"l.gpkg: cannot be read as a vector file .*ogr2ogr"),
        (curves, {}, LabelError, r"l.parquet, layer 'l': contains curves, .*CONVERT_TO_LINEAR"),
        (plain_table, {}, LabelError, r"Parquet file without geometries .*GeoParquet"),
        (lambda path: write(path / "l.gpkg", [box(900, 0, 905, 5)]), {}, NoOverlapError,
         r"none of its 1 features touches the scene. The layer covers \(509000, .* in EPSG:32633, the scene \(500000"),
        (lambda path: write(path / "l.parquet", [box(900, 0, 905, 5)]), {}, NoOverlapError, "covers unknown in EPSG"),
        (lambda path: write(path / "l.geojson", [shapely.Point(500_100, 5_399_900)]), {}, LabelError, "1 points|Point"),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_its_remedy(
    tmp_path: Path, made: Callable[[Path], Path], settings: dict[str, Any], error: type[Exception], message: str
):
    with pytest.raises(error, match=message):
        burnt(made(tmp_path), **settings)


def test_a_scene_without_crs_cannot_have_polygons(tmp_path: Path):
    with pytest.raises(GridError, match=r"layer 'l': cannot be placed on the scene, which has no CRS"):
        burnt(one(tmp_path), GeoBox((40, 50), Affine.identity(), None))


def test_settings_name_a_column_or_a_class():
    with pytest.raises(ValueError, match="set one of them to null"):
        PolygonSettings(field="kind", polygon_class=1)


def test_a_vector_file_on_the_web_is_to_be_downloaded():
    with pytest.raises(MissingFileError, match=r"^https://host/a\.gpkg: polygons on servers are not read; download"):
        open_layer(Path("https://host/a.gpkg"), None)
