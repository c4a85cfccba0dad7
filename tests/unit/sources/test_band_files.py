"""Band files: found by pattern, by name or by order, and brought to one grid."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from tests.made_products import CRS, ORIGIN, write_bands, write_jp2

from clairemap.artefacts.scene_sources import ResolvedRole
from clairemap.errors import BandCountError, GridError, MissingFileError, UnreadableFileError, ValuesError
from clairemap.raster.source import Block

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]
FINE = np.arange(1, 37, dtype=np.uint16).reshape(6, 6)
COARSE = np.arange(100, 109, dtype=np.uint16).reshape(3, 3)
BANDS = {"bands": ["red", "nir"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a red band of 10 m and a near infrared band of 20 m, and files that are not bands."""
    write_bands(tmp_path / "b", {"x_red.tif": FINE, "x_nir.tif": COARSE}, {"x_red.tif": 10, "x_nir.tif": 20})
    (tmp_path / "b" / "x_red.xml").touch()
    return tmp_path / "b"


def written(path: Path, values: np.ndarray, place: Affine | None = None, crs: str | None = CRS, **tags: object) -> Path:
    """Write a GeoTIFF of one band."""
    place = place or Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1])
    bands = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=values.dtype,
        crs=crs, transform=place, nodata=tags.get("nodata"),
    ) as file:  # fmt: skip
        file.write(bands)
        if "mask" in tags:
            file.write_mask(tags["mask"])
        if "scale" in tags:
            file.scales, file.offsets = [tags["scale"]], [tags["offset"]]
    return path


@pytest.mark.parametrize("cell", ["{b}", "{b}/*.tif", "{b}/x_nir.tif;{b}/x_red.tif"])
def test_bands_are_found_by_name_in_any_order(cell: str, folder: Path, read: Read):
    block = read(cell.format(b=folder), **BANDS, resampling="nearest")
    assert np.array_equal(block.values, [FINE, np.kron(COARSE, np.ones((2, 2)))]) and block.valid.all()


def test_patterns_come_before_names(folder: Path, read: Read):
    block = read(folder, bands=["nir", "other"], files={"nir": "*red*", "other": "x_n?r.tif"}, resampling="nearest")
    assert np.array_equal(block.values, [FINE, np.kron(COARSE, np.ones((2, 2)))])


def test_files_without_telling_names_are_taken_in_order(tmp_path: Path, read: Read):
    first, second = written(tmp_path / "1.tif", FINE), written(tmp_path / "2.tif", FINE + 50)
    assert np.array_equal(read(f"{second};{first}", **BANDS).values, [FINE + 50, FINE])


def test_polarisations_are_read_with_their_nodata(tmp_path: Path, read: Read):
    power = (FINE / 100).astype(np.float32)
    power[0, 0] = np.nan
    for name in ("VH", "VV"):
        written(tmp_path / f"S1A_IW_20260511_{name}.tif", power * (1 + (name == "VV")), nodata=np.nan)
    block = read(f"{tmp_path}/S1A*.tif", "sar", bands=["VV", "VH"])
    assert np.allclose(block.values[0], 2 * block.values[1]) and (~block.valid).sum() == 1


def test_days_are_read_from_names(tmp_path: Path, roles: Roles):
    for name in ("VH", "VV"):
        written(tmp_path / f"S1A_IW_RTC_20260511T054321_{name}.tif", FINE.astype(np.float32))
    found = roles({"sar": tmp_path}, sar={"bands": ["VV", "VH"]})
    assert str(found["sar"].facts.acquired) == "2026-05-11"


def test_tags_apply_once_and_only_if_wanted(tmp_path: Path, read: Read):
    one = written(tmp_path / "1.tif", FINE, scale=0.5, offset=-3.0)
    other = written(tmp_path / "2.tif", FINE)
    assert np.array_equal(read(f"{one};{other}", **BANDS).values, [FINE * 0.5 - 3, FINE])
    assert np.array_equal(read(f"{one};{other}", **BANDS, apply_scale=False).values, [FINE, FINE])


def test_masks_of_the_files_count(tmp_path: Path, read: Read):
    mask = FINE > 3
    one, other = written(tmp_path / "1.tif", FINE, mask=mask), written(tmp_path / "2.tif", FINE)
    assert np.array_equal(read(f"{one};{other}", **BANDS).valid, mask)


def test_settings_of_single_rasters_do_not_disturb(tmp_path: Path, read: Read):
    one, other = written(tmp_path / "1.tif", FINE), written(tmp_path / "2.tif", FINE + 1)
    assert np.array_equal(read(f"{one};{other}", **BANDS, indexes=[4, 3]).values, [FINE, FINE + 1])
    assert read(f"{one};{other}", **BANDS, nodata=-1.0).valid.all()


def test_bands_of_other_types_share_one_that_holds_both(tmp_path: Path, read: Read):
    one, other = written(tmp_path / "1.tif", FINE), written(tmp_path / "2.tif", (FINE / 4).astype(np.float32))
    assert np.array_equal(read(f"{one};{other}", **BANDS).values, [FINE, FINE / 4])


def test_only_pixels_of_all_bands_are_kept(tmp_path: Path, read: Read, roles: Roles):
    one = written(tmp_path / "1.tif", FINE)
    other = written(tmp_path / "2.tif", FINE, Affine(10, 0, ORIGIN[0] + 20, 0, -10, ORIGIN[1] - 10))
    block = read(f"{one};{other}", **BANDS)
    assert np.array_equal(block.values, [FINE[1:, 2:], FINE[:-1, :-2]]) and block.valid.all()
    grid = roles({"optical": f"{one};{other}"}, optical=BANDS)["optical"].grid
    assert (grid.transform[2], grid.transform[5]) == (ORIGIN[0] + 20, ORIGIN[1] - 10)


def test_files_without_a_crs_match_pixel_by_pixel(tmp_path: Path, read: Read):
    names = [written(tmp_path / f"{n}.tif", FINE + n, Affine.identity(), None) for n in (0, 1)]
    assert np.array_equal(read(";".join(map(str, names)), **BANDS).values, [FINE, FINE + 1])


@pytest.mark.parametrize(
    ("place", "crs", "words"),
    [
        (Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), "EPSG:32634", "is in EPSG:32633, .* in EPSG:32634"),
        (Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), None, "no CRS"),
        (Affine(10, 0, ORIGIN[0] + 1e5, 0, -10, ORIGIN[1]), CRS, "do not overlap: they cover x 500000 to 500060"),
        (Affine(10, 0, ORIGIN[0], 0, 10, ORIGIN[1] - 60), CRS, "different orientations"),
    ],
)
def test_bands_that_do_not_fit_each_other_are_errors(
    place: Affine, crs: str | None, words: str, tmp_path: Path, read: Read
):
    one, other = written(tmp_path / "1.tif", FINE), written(tmp_path / "2.tif", FINE, place, crs)
    with pytest.raises(GridError, match=words):
        read(f"{one};{other}", **BANDS)


def test_faults_of_cells_are_described(folder: Path, tmp_path: Path, read: Read):
    for cell, settings, words in (
        (folder, {"bands": ["red", "green"]}, "no file for band green (found: red in x_red.tif)"),
        (folder, {"bands": ["b1", "b2"]}, "which of its 3 file(s) are the bands b1, b2?"),
        (folder, {"bands": ["red"], "files": {"red": "*.jp2"}}, "no file matches '*.jp2', the pattern of band red"),
        (folder, {"bands": ["red"], "files": {"red": "*.tif"}}, "2 files could be band red: x_nir.tif, x_red.tif"),
        (f"{folder}/x_nir.tif;{folder}/x_red.tif", {"bands": ["a"]}, "2 file(s), but sensors.optical.bands lists 1"),
    ):
        with pytest.raises(BandCountError) as caught:
            read(cell, **settings)
        assert words in str(caught.value) and "sensors.optical" in str(caught.value)
    with pytest.raises(MissingFileError, match="no file matches"):
        read(f"{folder}/*.img", **BANDS)
    with pytest.raises(MissingFileError, match=r"none\.tif does not exist"):
        read(f"{folder}/x_red.tif;{folder}/none.tif", **BANDS)
    (tmp_path / "3.tif").write_bytes((folder / "x_red.tif").read_bytes()[:90])
    with pytest.raises(UnreadableFileError, match=r"3\.tif is truncated or damaged"):
        read(f"{folder}/x_red.tif;{tmp_path}/3.tif", **BANDS)


def test_images_of_sentinel_2_without_metadata_need_a_setting(tmp_path: Path, read: Read):
    for key, more in (("B04", 0), ("B08", 500)):
        write_jp2(tmp_path / f"T33UWQ_20260512T100031_{key}_10m.jp2", np.where(FINE > 1, FINE + 1200 + more, 0), 10)
    with pytest.raises(ValuesError, match=r"B04_10m.jp2 has the name of a Sentinel-2 image.*sensors.optical.offset"):
        read(tmp_path, **BANDS)
    block = read(tmp_path, **BANDS, offset=-1000)
    assert np.array_equal(block.valid, FINE > 1)
    assert np.array_equal(block.values[:, block.valid], np.stack([FINE + 200, FINE + 700])[:, FINE > 1])


@pytest.mark.parametrize("cell", ["{b}/west.tif;{b}/east.tif", "{b}/west.tif;{b}/west.tif"])
def test_files_with_several_bands_are_no_band_files(cell: str, tmp_path: Path, read: Read):
    for name in ("west.tif", "east.tif"):
        written(tmp_path / name, np.stack([FINE, FINE]))
    with pytest.raises(BandCountError, match=r"west\.tif has 2 bands, and nothing states which of them is red"):
        read(cell.format(b=tmp_path), **BANDS)
