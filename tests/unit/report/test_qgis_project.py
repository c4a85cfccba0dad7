"""The QGIS project of a region: its XML, its sources read by GDAL, and QGIS itself where it is installed."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from PIL import Image

from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.errors import UnreadableFileError
from clairemap.outputs import MAPS, MapFiles
from clairemap.report.qgis_project import qgis_project

HOSTILE = '<b>"Öde" & 水体'
LEGEND = ColoredLegend(
    classes=(ColoredClass(code=1, name=HOSTILE, color="#0010FF"), ColoredClass(code=40, name="forest", color="#1f6f3a"))
)
STAMP = {"clairemap_version": "1.2.3", "clairemap_commit": "abc"}
PYTHON = shutil.which("python3", path="/usr/bin")
READ = """
import json, sys
from qgis.core import QgsApplication, QgsMapRendererSequentialJob, QgsMapSettings, QgsProject
from qgis.PyQt.QtCore import QSize

application = QgsApplication([], False)
application.initQgis()
project = QgsProject.instance()
found = {"read": project.read(sys.argv[1]), "title": project.title(), "crs": project.crs().authid(), "layers": []}
root = project.layerTreeRoot()
layers = [node.layer() for node in root.findLayers()]
for layer in layers:
    renderer = layer.renderer()
    kind = renderer.type()
    entries = []
    if kind == "paletted":
        entries = [[entry.value, entry.label, entry.color.name()] for entry in renderer.classes()]
    if kind == "categorizedSymbol":
        entries = [[each.value(), each.label(), each.symbol().color().name()] for each in renderer.categories()]
    shown = root.findLayer(layer.id()).isVisible()
    found["layers"].append([layer.name(), layer.isValid(), layer.crs().authid(), shown, kind, entries])
settings = QgsMapSettings()
settings.setLayers([layer for layer in layers if layer.name() == "Land cover"])
settings.setDestinationCrs(project.crs())
settings.setExtent(settings.layers()[0].extent())
settings.setOutputSize(QSize(120, 80))
job = QgsMapRendererSequentialJob(settings)
job.start()
job.waitForFinished()
found["saved"] = job.renderedImage().save(sys.argv[2])
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Made:
    folder: Path
    text: str

    @property
    def project(self) -> Path:
        return self.folder / "alps.qgs"

    @property
    def root(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.text)


def write_map(files: MapFiles, crs: str | None) -> None:
    values = np.ones((8, 12), np.uint8)
    values[:, 6:] = 40
    for name in MAPS:
        path = files.prefix.with_name(f"{files.name}.{name}.tif")
        with rasterio.open(
            path, "w", driver="GTiff", height=8, width=12, count=1, dtype="uint8", nodata=255, crs=crs,
            transform=Affine(10, 0, 700_000, 0, -10, 5_300_000),
        ) as raster:  # fmt: skip
            raster.write(values, 1)


def write_table(path: Path, table: str, column: str, value: Any) -> None:
    outline = shapely.to_wkb(np.array([shapely.box(700_000, 5_299_920, 700_060, 5_300_000)], object))
    pyogrio.raw.write(
        path, outline, [np.array([value])], [column], layer=table, driver="GPKG", geometry_type="Polygon",
        crs="EPSG:32632",
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("results")
    files = MapFiles(folder / "alps")
    write_map(files, "EPSG:32632")
    write_table(files.polygons, "landcover", "code", 1)
    write_table(folder / "alps.sample.gpkg", "sample", "reference", "40")
    made = Made(folder, qgis_project(HOSTILE, [files], LEGEND, STAMP, [files.polygons], folder / "alps.sample.gpkg"))
    made.project.write_text(made.text, encoding="utf-8")
    return made


def test_gdal_reads_each_source_beside_the_project(made: Made):
    layers = made.root.findall("projectlayers/maplayer")
    assert len(layers) == len(MAPS) + 2
    for layer in layers:
        file, *table = layer.findtext("datasource", "").split("|layername=")
        assert file.startswith("./") and layer.findtext("srs/spatialrefsys/authid") == "EPSG:32632"
        if table:
            assert pyogrio.read_info(made.folder / file, layer=table[0])["geometry_type"] == "Polygon"
        else:
            with rasterio.open(made.folder / file) as raster:
                assert raster.count == 1
    assert str(made.folder) not in made.text


def test_the_tree_has_each_layer_once_and_shows_the_land_cover(made: Made):
    nodes = list(made.root.iter("layer-tree-layer"))
    ids = [layer.findtext("id") for layer in made.root.iter("maplayer")]
    assert sorted(node.get("id", "") for node in nodes) == sorted(filter(None, ids)) and len(set(ids)) == len(ids)
    assert [node.get("name") for node in nodes if node.get("checked") == "Qt::Checked"] == ["Land cover"]


def test_equal_maps_give_equal_text(made: Made):
    files = MapFiles(made.folder / "alps")
    again = qgis_project(HOSTILE, [files], LEGEND, STAMP, [files.polygons], made.folder / "alps.sample.gpkg")
    assert again == made.text


def test_the_stamp_is_among_the_properties(made: Made):
    root = ElementTree.fromstring(qgis_project("Alps", [MapFiles(made.folder / "alps")], LEGEND, STAMP))
    assert [(tag.tag, tag.text) for tag in root.findall("properties/clairemap/*")] == [
        ("version", "1.2.3"),
        ("commit", "abc"),
    ]


def test_layers_that_do_not_exist_are_left_out(made: Made):
    root = ElementTree.fromstring(qgis_project("Alps", [MapFiles(made.folder / "alps")], LEGEND, STAMP))
    assert len(root.findall("projectlayers/maplayer")) == len(MAPS)
    assert not ElementTree.fromstring(qgis_project("Alps", [], LEGEND, STAMP)).findall("projectlayers/maplayer")


def test_a_map_without_a_crs_has_none_in_the_project(tmp_path: Path):
    write_map(MapFiles(tmp_path / "photo"), None)
    root = ElementTree.fromstring(qgis_project("Photo", [MapFiles(tmp_path / "photo")], LEGEND, STAMP))
    assert {len(element) for element in root.iter("spatialrefsys")} == {0}


def test_a_missing_map_is_an_error(tmp_path: Path):
    with pytest.raises(UnreadableFileError, match=r"gone\.landcover\.tif"):
        qgis_project("Gone", [MapFiles(tmp_path / "gone")], LEGEND, STAMP)


@pytest.fixture(scope="module")
def opened(made: Made) -> dict[str, Any]:
    """What QGIS reads from the project, after the folder was moved."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PROJ_DATA")}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "HOME": str(made.folder)}
    check = [PYTHON or "python3", "-c", "import qgis.core"]
    if PYTHON is None or subprocess.run(check, env=environment, capture_output=True, check=False).returncode:
        pytest.skip("QGIS is not installed (apt-get install python3-qgis)")
    moved = made.folder.with_name("moved")
    shutil.copytree(made.folder, moved)
    picture = moved / "picture.png"
    command = [PYTHON, "-c", READ, str(moved / "alps.qgs"), str(picture)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return {**found, "picture": picture}


def test_qgis_opens_the_project_with_all_layers(opened: dict[str, Any]):
    assert opened["read"] and opened["title"] == HOSTILE and opened["crs"] == "EPSG:32632"
    names = ["Sample", "Polygons", "Land cover", "Confidence, %", "Optical share, %", "Source count"]
    assert [layer[0] for layer in opened["layers"]] == names
    assert all(valid and crs == "EPSG:32632" for _, valid, crs, *_ in opened["layers"])
    assert [name for name, _, _, shown, *_ in opened["layers"] if shown] == ["Land cover"]


def test_qgis_shows_names_and_colours_of_the_classes(opened: dict[str, Any]):
    entries = {layer[0]: layer[-1] for layer in opened["layers"]}
    assert entries["Land cover"] == [[1, HOSTILE, "#0010ff"], [40, "forest", "#1f6f3a"]]
    assert entries["Polygons"] == [["1", HOSTILE, "#0010ff"], ["40", "forest", "#1f6f3a"]]
    assert [label for _, label, _ in entries["Sample"]] == [HOSTILE, "forest", "no reference class in this file"]


def test_qgis_draws_the_map(opened: dict[str, Any]):
    with Image.open(opened["picture"]) as picture:
        assert picture.convert("RGB").getpixel((20, 40)) == (0, 16, 255)
        assert picture.convert("RGB").getpixel((100, 40)) == (31, 111, 58)
