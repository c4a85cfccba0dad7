from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.classes import ColoredClass, ColoredLegend
from clairemap.grid.window import Window
from clairemap.raster.cog import CogWriter, MapLayer
from clairemap.report.categories import categories_xml

LEGEND = ColoredLegend(
    classes=(
        ColoredClass(code=4, name="town & road", color="#ff8000"),
        ColoredClass(code=1, name="water", color="#0010ff"),
    )
)


@pytest.fixture
def map_file(tmp_path: Path):
    path = tmp_path / "map.tif"
    with CogWriter(path, GeoBox((8, 9), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633"), _layer()) as writer:
        writer.write(Window(0, 0, 8, 9), np.full((8, 9), 4, np.uint8))
    path.with_name("map.tif.aux.xml").write_text(categories_xml(LEGEND, {4: 72}), encoding="utf-8")
    return path


def _layer():
    return MapLayer("class", "mode", LEGEND.palette)


def test_gdal_reads_the_categories_beside_the_map(map_file: Path, tmp_path: Path):
    # rasterio does not read categories; GDAL writes them into a VRT.
    rasterio.shutil.copy(map_file, tmp_path / "map.vrt", driver="VRT")
    band = ElementTree.parse(tmp_path / "map.vrt").getroot().find("VRTRasterBand")
    assert [category.text for category in band.find("CategoryNames")] == [None, "water", None, None, "town & road"]
    table = band.find("GDALRasterAttributeTable")
    assert table.get("tableType") == "thematic"
    assert [[field.text for field in row] for row in table.findall("Row")] == [
        ["1", "water", "0", "0", "16", "255"],
        ["4", "town & road", "72", "255", "128", "0"],
    ]
    usages = [int(definition.find("Usage").text) for definition in table.findall("FieldDefn")]
    assert usages == [5, 2, 1, 6, 7, 8]  # MinMax, Name, PixelCount, Red, Green, Blue


def test_the_map_itself_still_reads(map_file: Path):
    with rasterio.open(map_file) as dataset:
        assert (dataset.read(1) == 4).all() and dataset.nodata == 255
        assert dataset.colormap(1)[4] == (255, 128, 0, 255)


def test_counts_beyond_32_bits_stay_exact():
    table = ElementTree.fromstring(categories_xml(LEGEND, {1: 5_000_000_000}))
    assert table.find(".//Row[@index='0']")[2].text == "5000000000"
