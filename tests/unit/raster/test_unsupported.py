import errno
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from clairemap.errors import ClairemapError, MissingFileError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.source import RasterSource
from clairemap.raster.unsupported import as_named, not_opened


def told(path: Path, kind: type[ClairemapError]) -> str:
    with pytest.raises(kind) as caught:
        RasterSource(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "http://127.0.0.1:8765/d/o.tif",
            ["http://127.0.0.1:8765/d/o.tif: URLs", "download", "/vsicurl/http://127.0.0.1:"],
        ),
        ("https://example.org/o.tif?sig=1", ["https://example.org/o.tif?sig=1: URLs", "gdal_translate -of VRT"]),
        ("s3://bucket/o.tif", ["s3://bucket/o.tif: URLs", "download", "/vsis3/bucket/o.tif"]),
        ("gs://bucket/o.tif", ["gs://bucket/o.tif", "/vsigs/bucket/o.tif"]),
        ("az://c/o.tif", ["az://c/o.tif", "/vsiaz/c/o.tif"]),
        ("abfs://c/o.tif", ["abfs://c/o.tif", "/vsiadls/c/o.tif"]),
        ("S3://bucket/o.tif", ["S3://bucket/o.tif", "/vsis3/bucket/o.tif"]),
        ("file:///data/o.tif", ["file:///data/o.tif", "name the file itself: /data/o.tif"]),
        ("/vsizip//d/o.zip/o.tif", ["/vsizip/", "virtual paths are not read", "gdal_translate -of VRT"]),
        ("/vsicurl/http://h/o.tif", ["/vsicurl/http://h/o.tif: GDAL's virtual paths are not read"]),
        ('NETCDF:"/d/o.nc":Band1', ['NETCDF:"/d/o.nc":Band1: parts of files', "gdal_translate"]),
        ("SENTINEL2_L2A:/d/MTD.xml:10m:EPSG_32633", ["SENTINEL2_L2A:/d/MTD.xml", "gdal_translate"]),
        ("C:\\data\\o.tif", ["no such file", "Windows path"]),
        ("C:/data/o.tif", ["no such file", "Windows path"]),
        ("data\\o.tif", ["no such file", "Windows path"]),
        ("plain.tif", ["plain.tif: no such file; correct the path in the sample sheet or bring the file"]),
        ("o" * 300, ["no such file"]),
    ],
)
@pytest.mark.parametrize("folder", [".", "/the/data"])
def test_paths_that_are_no_files_are_told_with_what_can_be_done(cell: str, words: list[str], folder: str):
    text = told(Path(folder) / cell, MissingFileError)
    assert all(word in text for word in words), text
    shown = as_named(Path(folder) / cell)
    assert text.startswith(f"{shown}: ") and (shown == cell or shown == str(Path(folder) / cell))


def test_a_name_in_another_case_is_told(tmp_path: Path):
    (tmp_path / "O.TIF").touch()
    assert "(its folder has 'O.TIF': case counts)" in told(tmp_path / "o.tif", MissingFileError)


def write(path: Path, driver: str = "GTiff", bands: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": driver, "width": 8, "height": 8, "count": bands, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.ones((bands, 8, 8), np.uint8))
    return path


def test_an_archive_is_told_with_the_raster_in_it(tmp_path: Path):
    write(tmp_path / "o.tif")
    with zipfile.ZipFile(tmp_path / "a b.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
        archive.write(tmp_path / "o.tif", "in/o.tif")
    text = told(tmp_path / "a b.zip", UnreadableFileError)
    command = f"gdal_translate -of VRT '/vsizip/{tmp_path}/a b.zip/in/o.tif' scene.vrt"
    assert "is an archive: unpack it" in text and command in text
    assert command in told(Path(f"/vsizip//{tmp_path}/a b.zip/in/o.tif"), MissingFileError)
    (tmp_path / "o.tar.gz").write_bytes(b"\x1f\x8b00000000")
    assert "is an archive" in told(tmp_path / "o.tar.gz", UnreadableFileError)


def test_a_folder_is_told_with_the_bands_in_it(tmp_path: Path):
    band = write(tmp_path / "S2.SAFE" / "IMG" / "B04.tif")
    text = told(tmp_path / "S2.SAFE", UnreadableFileError)
    assert "is a folder" in text and f"gdalbuildvrt -separate scene.vrt {band}" in text
    assert "in the order of sensors.*.bands" in text
    (tmp_path / "empty").mkdir()
    assert "is a folder" in told(tmp_path / "empty", UnreadableFileError)


@pytest.mark.parametrize("name", ["labels.gpkg", "labels.geojson", "labels.shp", "labels.GeoJSON"])
def test_shapes_are_told_with_the_command_that_burns_them(tmp_path: Path, name: str):
    (tmp_path / name).write_text('{"type": "FeatureCollection", "features": []}')
    text = told(tmp_path / name, UnreadableFileError)
    assert "holds shapes" in text and "gdal_rasterize -a code" in text and "name label.tif" in text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("o.tif", b"", "is empty (0 bytes); fetch it again"),
        ("o.tif", b"<!DOCTYPE html><html>", "is a web page"),
        ("o.tif", b"\n <HTML>login", "is a web page"),
        ("o.tif", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("o.tif", b"II*\0nonsense", "can't be opened as a raster"),
        ("o.sid", b"msid", "convert it to GeoTIFF"),
    ],
)
def test_files_that_are_no_rasters_are_told_by_what_they_are(tmp_path: Path, name: str, content: bytes, words: str):
    (tmp_path / name).write_bytes(content)
    assert words in told(tmp_path / name, UnreadableFileError)


def test_a_file_that_may_not_be_read_is_told_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "o.tif"
    path.write_bytes(b"II*\0nonsense")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert "can't be read (Permission denied)" in str(not_opened(path, "Permission denied"))


def test_a_damaged_archive_is_told_as_one(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("o.tif", "x")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    assert "is an archive" in told(tmp_path / "a.zip", UnreadableFileError)


def test_a_file_of_several_rasters_is_told_with_their_names(tmp_path: Path):
    nc = tmp_path / "o.nc"
    copy_raster(write(tmp_path / "o.tif", bands=2), nc, driver="netCDF")
    text = told(nc, UnreadableFileError)
    assert "holds 2 rasters" in text and "Band1" in text and "gdal_translate" in text and "-separate scene.vrt" in text


def test_a_virtual_raster_without_one_of_its_files_is_told_by_both_names(tmp_path: Path):
    band = '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename>'
    text = f'<VRTDataset rasterXSize="8" rasterYSize="8">{band}</SimpleSource></VRTRasterBand></VRTDataset>'
    (tmp_path / "o.vrt").write_text(text.format("gone.tif"))
    with (
        RasterSource(tmp_path / "o.vrt") as source,
        pytest.raises(UnreadableFileError, match=r"o\.vrt.*gone\.tif"),
    ):
        source.read(Window(0, 0, 8, 8), (1,))
    warped = "<GDALWarpOptions><SourceDataset relativeToVRT='1'>gone.tif</SourceDataset></GDALWarpOptions>"
    (tmp_path / "w.vrt").write_text(
        f"<VRTDataset subClass='VRTWarpedDataset' rasterXSize='8' rasterYSize='8'>{warped}</VRTDataset>"
    )
    words = told(tmp_path / "w.vrt", MissingFileError)
    assert f"the virtual raster {tmp_path}/w.vrt refers to {tmp_path}/gone.tif, which does not exist" in words
