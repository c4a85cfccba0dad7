import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy as copy_raster

from clairemap.raster.members import files_behind, missing_member, with_sidecars


def vrt(path: Path, *sources: str, relative: int = 1, tag: str = "SourceFilename") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    inner = "".join(
        f'<VRTRasterBand><{tag} relativeToVRT="{relative}">{name}</{tag}></VRTRasterBand>' for name in sources
    )
    path.write_text(f"<VRTDataset>{inner}</VRTDataset>")
    return path


def made(folder: Path, *names: str) -> list[Path]:
    files = [folder / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"II*\0")
    return files


def test_a_plain_file_has_no_members_and_a_missing_file_gives_none(tmp_path: Path):
    (file,) = made(tmp_path, "o.tif")
    assert files_behind(file) == (file,)
    assert files_behind(tmp_path / "absent.tif") == ()
    assert files_behind(tmp_path / ("x" * 300)) == ()


def test_members_of_virtual_rasters_are_found_recursively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    a, b, c = made(tmp_path, "s/img/a.tif", "s/img/b.tif", "c.tif")
    monkeypatch.chdir(tmp_path)
    inner = vrt(tmp_path / "s" / "inner.vrt", "img/a.tif", "img/b.tif", "img/a.tif")
    outer = vrt(tmp_path / "outer.xml", "s/inner.vrt", str(c))
    assert files_behind(outer) == (outer, inner, c, a, b)
    assert files_behind(vrt(tmp_path / "d" / "cwd.vrt", "c.tif", relative=0)) == (tmp_path / "d/cwd.vrt", Path("c.tif"))
    warped = vrt(tmp_path / "s" / "warped.vrt", "img/a.tif", tag="SourceDataset")
    assert files_behind(warped) == (warped, a)


def test_a_virtual_raster_that_refers_to_itself_ends(tmp_path: Path):
    loop = vrt(tmp_path / "loop.vrt", "loop.vrt")
    assert files_behind(loop) == (loop,) and missing_member(loop) is None


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ('NETCDF:"{}/x.nc":Band1', "x.nc"),
        ("NETCDF:{}/x.nc:Band1", "x.nc"),
        ('HDF5:"{}/x.h5"://group/band', "x.h5"),
        ("GTIFF_DIR:1:{}/x.tif", "x.tif"),
        ("vrt://{}/x.tif?bands=1", "x.tif"),
        ("/vsizip/{}/x.zip/in/o.tif", "x.zip"),
        ("/vsizip/{{{}/x.zip}}/in/o.tif", "x.zip"),
        ("SENTINEL2_L2A:{}/MTD_MSIL2A.xml:10m:EPSG_32633", "MTD_MSIL2A.xml"),
        ("/vsicurl/https://example.org/o.tif", None),
        ("https://example.org/o.tif", None),
        ("/vsis3/b/o.tif", None),
    ],
)
def test_dataset_names_are_resolved_to_files(tmp_path: Path, name: str, file: str | None):
    expected = made(tmp_path, file) if file else []
    top = vrt(tmp_path / "top.vrt", name.format(tmp_path), relative=0)
    assert list(files_behind(top)) == [top, *expected]


def test_members_are_those_that_gdal_itself_writes(tmp_path: Path):
    profile = {"driver": "GTiff", "width": 8, "height": 8, "count": 1, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a & b.tif", "w", **profile) as file:
        file.write(np.ones((1, 8, 8), np.uint8))
    copy_raster(tmp_path / "a & b.tif", tmp_path / "o.vrt", driver="VRT")
    assert files_behind(tmp_path / "o.vrt") == (tmp_path / "o.vrt", tmp_path / "a & b.tif")


@pytest.mark.parametrize(
    ("raster", "sidecar"),
    [
        ("o.tif", "o.tif.msk"),
        ("o.tif", "o.tfw"),
        ("o.tif", "o.TFW"),
        ("o.tif", "o.tifw"),
        ("o.jp2", "o.j2w"),
        ("o.png", "o.wld"),
        ("o.img", "o.hdr"),
        ("o.dat", "o.dat.hdr"),
        ("o.jpg", "o.prj"),
        ("o.tif", "o.tab"),
        ("o.tif", "o_RPC.TXT"),
        ("g/hdr.adf", "g/w001001.adf"),
    ],
)
def test_sidecar_files_that_affect_values_are_included(tmp_path: Path, raster: str, sidecar: str):
    file, other = made(tmp_path, raster, sidecar)
    made(tmp_path, "o.tif.ovr", "o2.tfw", "p.tif")
    assert files_behind(file) == (file, other)


def test_a_sidecar_file_that_appears_without_a_new_time_of_its_folder_is_found(tmp_path: Path):
    (raster,) = made(tmp_path, "a.tif")
    folder_time = tmp_path.stat().st_mtime_ns
    assert with_sidecars(raster) == (raster,)
    (mask,) = made(tmp_path, "a.tif.msk")
    os.utime(tmp_path, ns=(folder_time, folder_time))
    assert with_sidecars(raster) == (raster, mask)


def test_statistics_written_by_a_viewer_are_ignored(tmp_path: Path):
    (file,) = made(tmp_path, "o.tif")
    pam = tmp_path / "o.tif.aux.xml"
    seen = '<Histograms/><Metadata><MDI key="STATISTICS_MEAN">3</MDI></Metadata>'
    pam.write_text(f'<PAMDataset><PAMRasterBand band="1">{seen}</PAMRasterBand></PAMDataset>')
    assert files_behind(file) == (file,)
    pam.write_text(f'<PAMDataset><PAMRasterBand band="1">{seen}<Scale>2</Scale></PAMRasterBand></PAMDataset>')
    assert files_behind(file) == (file, pam)
    pam.write_text("<PAMDataset><SRS>EPSG:32633</SRS></PAMDataset>")
    assert files_behind(file) == (file, pam)


def test_sidecar_files_of_members_and_all_files_of_a_folder_are_included(tmp_path: Path):
    a, mask = made(tmp_path, "a.tif", "a.tif.msk")
    top = vrt(tmp_path / "top.vrt", "a.tif")
    assert files_behind(top) == (top, a, mask)
    grid = made(tmp_path, "grid/hdr.adf", "grid/w001001.adf")
    assert files_behind(tmp_path / "grid") == tuple(grid)


def test_a_missing_member_is_returned_with_the_vrt_that_refers_to_it(tmp_path: Path):
    made(tmp_path, "a.tif")
    inner = vrt(tmp_path / "inner.vrt", "a.tif", "gone.tif")
    top = vrt(tmp_path / "top.vrt", "inner.vrt")
    assert missing_member(top) == (tmp_path / "gone.tif", inner)
    assert missing_member(tmp_path / "a.tif") is None


def test_an_edited_virtual_raster_is_read_again(tmp_path: Path):
    a, b = made(tmp_path, "a.tif", "b.tif")
    top = vrt(tmp_path / "top.vrt", "a.tif")
    assert files_behind(top) == (top, a)
    vrt(top, "a.tif", "b.tif")
    assert files_behind(top) == (top, a, b)


def test_the_archive_of_a_member_is_watched(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("in/o.tif", b"")
    top = vrt(tmp_path / "top.vrt", f"/vsizip/{tmp_path}/x.zip/in/o.tif", relative=0)
    assert files_behind(top) == (top, tmp_path / "x.zip")


def test_no_slow_module_is_imported():
    heavy = "import sys, clairemap.raster.members; print({'rasterio', 'numpy', 'torch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_a_new_sidecar_file_in_an_old_folder_is_found(tmp_path: Path):
    folder = tmp_path / "scenes"
    folder.mkdir()
    raster = folder / "a.tif"
    raster.touch()
    os.utime(folder, (1e9, 1e9))
    assert files_behind(raster) == (raster,)
    (folder / "A.TFW").touch()  # another file on file systems with case
    (folder / "a.tfw").touch()
    assert files_behind(raster) == (raster, folder / "a.tfw")
    os.utime(folder, (1e9, 1e9 + 1))
    assert files_behind(raster) == (raster, folder / "a.tfw")


def test_files_of_vector_files_are_found(tmp_path: Path):
    shape, _, *others = made(tmp_path, "l.shp", "l.txt", "l.shx", "l.dbf", "l.cpg", "l.prj")
    assert files_behind(shape) == (shape, *others)
    package, log = made(tmp_path, "l.gpkg", "l.gpkg-wal")
    assert files_behind(package) == (package, log)
    raster, table = made(tmp_path, "c.tif", "c.tif.vat.dbf")
    assert files_behind(raster) == (raster, table)
