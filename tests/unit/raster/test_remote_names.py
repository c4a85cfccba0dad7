"""Names of files on servers."""

import pytest

from clairemap.raster.remote_names import address, cached, can_be_reopened, gdal_name, is_remote


@pytest.mark.parametrize(
    ("name", "remote", "plain"),
    [
        ("https://user:word@host/a.tif?sig=x", True, "https://host/a.tif"),
        ("s3://bucket/a.tif", True, "s3://bucket/a.tif"),
        ("/vsicurl/https://host/a.tif?x=1", True, "/vsicurl/https://host/a.tif"),
        ("/vsizip//vsis3/bucket/a.zip/a.tif", True, "/vsizip//vsis3/bucket/a.zip/a.tif"),
        ("NETCDF:/vsigs/bucket/a.nc:red", True, "NETCDF:/vsigs/bucket/a.nc:red"),
        ("/vsizip//data/a.zip/a.tif", False, "/vsizip//data/a.zip/a.tif"),
        ("NETCDF:/data/a.nc:red", False, "NETCDF:/data/a.nc:red"),
        ("file:///data/a.tif", False, "file:///data/a.tif"),
    ],
)
def test_names_on_servers_are_recognised(name: str, remote: bool, plain: str):
    assert is_remote(name) == remote and address(name) == plain


def test_names_are_those_of_gdal():
    assert gdal_name("https://host/a.tif?b=1") == "/vsicurl/https://host/a.tif?b=1"
    assert gdal_name("s3://bucket/a.tif") == "/vsis3/bucket/a.tif"
    assert gdal_name("gs://bucket/a.tif") == "/vsigs/bucket/a.tif"
    assert gdal_name("file:///data/a.tif") == "/data/a.tif" and gdal_name("/data/a.tif") == "/data/a.tif"


def test_each_opening_has_another_name_with_the_whole_address():
    name = "/vsicurl/https://host/a.tif?se=1&sig=a%2B"
    first, second = cached(name, 8), cached(name, 8)
    assert first != second
    assert first.endswith("&file=/vsicurl/https://host/a.tif%3Fse%3D1%26sig%3Da%252B")
    assert cached("/data/a.tif", 8) == "/data/a.tif"
    assert not can_be_reopened("NETCDF:/vsicurl/https://host/a.nc:red")
