from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.raster.code_names import codes_of_names

TABLE = """<PAMDataset><PAMRasterBand band="1">
<CategoryNames><Category></Category><Category>Tree cover</Category><Category> Shrubs </Category></CategoryNames>
<GDALRasterAttributeTable tableType="thematic">
<FieldDefn index="0"><Name>Count</Name><Type>0</Type><Usage>1</Usage></FieldDefn>
<FieldDefn index="1"><Name>VALUE</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>
<FieldDefn index="2"><Name>LABEL1</Name><Type>2</Type><Usage>0</Usage></FieldDefn>
<FieldDefn index="3"><Name>LABEL3</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<Row index="0"><F>7</F><F>{first}</F><F>Artificial</F><F>Port areas</F></Row>
<Row index="1"><F>9</F><F>6</F><F>Artificial</F><F>Airports</F></Row>
</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    path = tmp_path / "codes.tif"
    with rasterio.open(path, "w", driver="GTiff", height=8, width=8, count=1, dtype="uint8") as file:
        file.write(np.ones((1, 8, 8), np.uint8))
    return path


def test_a_raster_without_tables_has_no_names(raster: Path):
    assert codes_of_names(raster) == {}


@pytest.mark.parametrize(("kind", "usage", "first"), [(0, 5, "5"), (0, 0, "5"), (1, 5, "5.0")])
def test_categories_and_attribute_table(raster: Path, kind: int, usage: int, first: str):
    raster.with_name("codes.tif.aux.xml").write_text(TABLE.format(kind=kind, usage=usage, first=first))
    expected = {"Tree cover": (1,), "Shrubs": (2,), "Artificial": (5, 6), "Port areas": (5,), "Airports": (6,)}
    assert codes_of_names(raster) == expected
    virtual = raster.with_name("virtual.vrt")
    copy_raster(raster, virtual, driver="VRT")
    assert codes_of_names(virtual) == expected


def test_colours_are_names(raster: Path):
    with rasterio.open(raster, "r+") as file:
        file.write_colormap(1, {10: (0, 100, 0), 20: (255, 187, 34), 21: (255, 187, 34)})
    names = codes_of_names(raster)
    assert names["#006400"] == (10,) and names["#ffbb22"] == (20, 21)


def test_an_attribute_table_beside_the_raster(raster: Path):
    columns = [np.array([1, 2]), np.array(["Wald", "See"], object), np.array(["311", "512"], object)]
    table = raster.with_name("codes.tif.vat.dbf")
    pyogrio.raw.write(
        table, None, columns, np.array(["Value", "LABEL3", "CODE_18"]), geometry_type=None, driver="ESRI Shapefile"
    )
    assert codes_of_names(raster) == {"Wald": (1,), "See": (2,), "311": (1,), "512": (2,)}


def test_a_missing_or_unreadable_raster_is_an_error(tmp_path: Path):
    with pytest.raises(MissingFileError, match="absent.tif"):
        codes_of_names(tmp_path / "absent.tif")
    (tmp_path / "text.tif").write_text("no raster")
    with pytest.raises(UnreadableFileError, match="text.tif"):
        codes_of_names(tmp_path / "text.tif")
