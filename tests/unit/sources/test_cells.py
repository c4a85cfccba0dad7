"""Kinds of cells, and the files behind them, from names only."""

import zipfile
from pathlib import Path

import pytest

from clairemap.cell_text import expanded_cell, items, missing_item
from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.sources.cells import cell_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a.tif", "raster"),
        ("scene.vrt", "raster"),
        ("a.tif;b.tif", "files"),
        ("*_10m.jp2", "folder"),
        ("product.zip", "archive"),
        ("item.json", "item"),
        ("https://host/item.json?token=1", "item"),
        ("https://host/a.tif", "remote"),
        ("s3://bucket/a.tif", "remote"),
        ("/vsicurl/https://host/a.tif", "remote"),
        ("NETCDF:a.nc:red", "remote"),
        ("https://host/a.tif;https://host/b.tif", "files"),
        ("NETCDF:a.nc:red;NETCDF:a.nc:nir", "files"),
        ("https://host/collections/sentinel-2-l2a/items/S2A_1", "item"),
    ],
)
def test_the_kind_of_a_cell_follows_from_its_text(text: str, kind: str):
    assert cell_of("optical", text).kind == kind
    assert cell_of("optical", text).is_resolved == (kind != "raster")


def test_folders_are_cells_of_files_unless_they_are_one_raster(tmp_path: Path):
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "hdr.adf").touch()
    assert cell_of("optical", str(tmp_path)).kind == "folder"
    assert cell_of("optical", str(tmp_path / "grid")).kind == "raster"
    assert cell_of("label", str(tmp_path)).kind == "raster"


def test_labels_on_servers_are_remote_rasters_but_polygons_are_not():
    for text in ("https://host/l.tif", "s3://bucket/l.tif", "/vsizip//data/l.zip/l.tif"):
        assert cell_of("label", text).kind == "remote"
    for text in ("https://host/l.gpkg", "/vsicurl/https://host/l.geojson", "https://host/item.json", "l.tif"):
        assert cell_of("label", text).kind == "raster"


def test_names_of_existing_files_may_contain_any_character(tmp_path: Path):
    for name in ("a;b.tif", "a[1].tif", "a*.tif"):
        (tmp_path / name).touch()
        text = expanded_cell(name, tmp_path)
        assert cell_of("sar", text).kind == "raster" and items(text) == (str(tmp_path / name),)


def test_each_path_of_a_cell_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATA", "/scratch")
    text = expanded_cell("a.tif; $DATA/b.tif;https://host//c.tif", tmp_path)
    assert items(text) == (f"{tmp_path}/a.tif", "/scratch/b.tif", "https://host//c.tif")
    assert expanded_cell("s3://bucket//a.tif", tmp_path) == "s3://bucket//a.tif"
    assert expanded_cell("SCL", tmp_path) == "SCL"


def test_missing_files_of_a_cell_are_found(tmp_path: Path):
    (tmp_path / "a.tif").touch()
    assert missing_item(f"{tmp_path}/a.tif;{tmp_path}/b.tif") == tmp_path / "b.tif"
    for text in (f"{tmp_path}/a.tif", f"{tmp_path}/*.tif", "https://host/a.tif", "scl"):
        assert missing_item(text) is None


def test_references_start_at_the_cell(tmp_path: Path):
    inner = tmp_path / "x" / "y"
    inner.mkdir(parents=True)
    for name in ("b.tif", "a.tif", "a.xml"):
        (inner / name).touch()
    folder = cell_of("optical", str(tmp_path))
    assert folder.names == ("x/y/a.tif", "x/y/a.xml", "x/y/b.tif")
    assert folder.located("x/y/a.tif") == str(inner / "a.tif")
    pattern = cell_of("optical", f"{tmp_path}/x/*/?.tif")
    assert pattern.names == ("y/a.tif", "y/b.tif") and pattern.located("y/b.tif") == str(inner / "b.tif")
    assert cell_of("optical", f"{tmp_path}/**/b.*").names == ("x/y/b.tif",)
    several = cell_of("optical", f"{inner}/b.tif;{inner}/a.tif")
    assert several.names == ("1/b.tif", "2/a.tif") and several.located("2/a.tif") == str(inner / "a.tif")
    assert several.located("https://host/c.tif") == "/vsicurl/https://host/c.tif"


def test_archives_are_listed_and_damaged_ones_reported(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("p/a.tif", "content")
    cell = cell_of("optical", str(tmp_path / "p.zip"))
    assert cell.names == ("p/a.tif",) and cell.located("p/a.tif") == f"/vsizip/{tmp_path}/p.zip/p/a.tif"
    content = (tmp_path / "p.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFileError, match=r"cut\.zip: truncated or damaged archive"):
        _ = cell_of("optical", str(tmp_path / "cut.zip")).names
    with pytest.raises(MissingFileError, match=r"none\.zip"):
        _ = cell_of("optical", str(tmp_path / "none.zip")).names
    with pytest.raises(MissingFileError, match="there is no folder"):
        _ = cell_of("optical", str(tmp_path / "none" / "*.tif")).names
