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
from clairemap.raster.unsupported import open_error, written_name


def error_text(path: Path, kind: type[ClairemapError]) -> str:
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
        ("file:///data/o.tif", ["file:///data/o.tif", "use the path: /data/o.tif"]),
        ("/vsizip//d/o.zip/o.tif", ["/vsizip/", "virtual paths are not supported", "gdal_translate -of VRT"]),
        ("/vsicurl/http://h/o.tif", ["/vsicurl/http://h/o.tif: GDAL's virtual paths are not supported"]),
        ('NETCDF:"/d/o.nc":Band1', ['NETCDF:"/d/o.nc":Band1: subdatasets are not supported', "gdal_translate"]),
        ("SENTINEL2_L2A:/d/MTD.xml:10m:EPSG_32633", ["SENTINEL2_L2A:/d/MTD.xml", "gdal_translate"]),
        ("C:\\data\\o.tif", ["no such file", "Windows path"]),
        ("C:/data/o.tif", ["no such file", "Windows path"]),
        ("data\\o.tif", ["no such file", "Windows path"]),
        ("plain.tif", ["plain.tif: no such file; correct the path in the sample sheet or provide the file"]),
        ("o" * 300, ["no such file"]),
    ],
)
@pytest.mark.parametrize("folder", [".", "/the/data"])
def test_messages_for_paths_that_are_not_files(cell: str, words: list[str], folder: str):
    text = error_text(Path(folder) / cell, MissingFileError)
    assert all(word in text for word in words), text
    shown = written_name(Path(folder) / cell)
    assert text.startswith(f"{shown}: ") and (shown == cell or shown == str(Path(folder) / cell))


def test_message_for_a_link_to_a_missing_file(tmp_path: Path):
    (tmp_path / "sar.tif").symlink_to("/gone/sar.tif")
    assert "(it is a link to /gone/sar.tif, which does not exist)" in error_text(tmp_path / "sar.tif", MissingFileError)


def test_message_for_a_name_in_another_case(tmp_path: Path):
    (tmp_path / "O.TIF").touch()
    assert "(the folder contains 'O.TIF'; names are case-sensitive)" in error_text(tmp_path / "o.tif", MissingFileError)


def write(path: Path, driver: str = "GTiff", bands: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": driver, "width": 8, "height": 8, "count": bands, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.ones((bands, 8, 8), np.uint8))
    return path


def test_message_for_an_archive_contains_its_raster(tmp_path: Path):
    write(tmp_path / "o.tif")
    with zipfile.ZipFile(tmp_path / "a b.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
        archive.write(tmp_path / "o.tif", "in/o.tif")
    text = error_text(tmp_path / "a b.zip", UnreadableFileError)
    command = f"gdal_translate -of VRT '/vsizip/{tmp_path}/a b.zip/in/o.tif' scene.vrt"
    assert "is an archive, not a raster; unpack it" in text and command in text
    assert command in error_text(Path(f"/vsizip//{tmp_path}/a b.zip/in/o.tif"), MissingFileError)
    (tmp_path / "o.tar.gz").write_bytes(b"\x1f\x8b00000000")
    assert "is an archive" in error_text(tmp_path / "o.tar.gz", UnreadableFileError)


def test_message_for_a_folder_contains_its_bands(tmp_path: Path):
    band = write(tmp_path / "S2.SAFE" / "IMG" / "B04.tif")
    text = error_text(tmp_path / "S2.SAFE", UnreadableFileError)
    assert "is a folder" in text and f"gdalbuildvrt -separate scene.vrt {band}" in text
    assert "in the order of sensors.*.bands" in text
    (tmp_path / "empty").mkdir()
    assert "is a folder" in error_text(tmp_path / "empty", UnreadableFileError)


@pytest.mark.parametrize("name", ["labels.gpkg", "labels.geojson", "labels.shp", "labels.GeoJSON"])
def test_message_for_vector_data_contains_the_command(tmp_path: Path, name: str):
    (tmp_path / name).write_text('{"type": "FeatureCollection", "features": []}')
    text = error_text(tmp_path / name, UnreadableFileError)
    assert "contains vector data" in text and "column `label`" in text and "ogr2ogr labels.gpkg" in text


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("o.tif", b"", "is empty (0 bytes); download it again"),
        ("o.tif", b"<!DOCTYPE html><html>", "is a web page"),
        ("o.tif", b"\n <HTML>login", "is a web page"),
        ("o.tif", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("o.tif", b"II*\0nonsense", "cannot be opened as a raster"),
        ("o.sid", b"msid", "convert it to GeoTIFF"),
    ],
)
def test_messages_for_files_that_are_not_rasters(tmp_path: Path, name: str, content: bytes, words: str):
    (tmp_path / name).write_bytes(content)
    assert words in error_text(tmp_path / name, UnreadableFileError)


def test_message_for_a_file_without_read_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "o.tif"
    path.write_bytes(b"II*\0nonsense")

    def rejected(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", rejected)
    assert "cannot be read (Permission denied)" in str(open_error(path, "Permission denied"))


def test_message_for_a_damaged_archive(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("o.tif", "x")
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    assert "is an archive" in error_text(tmp_path / "a.zip", UnreadableFileError)


def test_message_for_a_file_of_several_rasters_contains_their_names(tmp_path: Path):
    nc = tmp_path / "o.nc"
    copy_raster(write(tmp_path / "o.tif", bands=2), nc, driver="netCDF")
    text = error_text(nc, UnreadableFileError)
    assert (
        "contains 2 rasters" in text and "Band1" in text and "gdal_translate" in text and "-separate scene.vrt" in text
    )


def test_message_for_a_virtual_raster_with_a_missing_file_contains_both_names(tmp_path: Path):
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
    words = error_text(tmp_path / "w.vrt", MissingFileError)
    assert f"the virtual raster {tmp_path}/w.vrt refers to {tmp_path}/gone.tif, which does not exist" in words
