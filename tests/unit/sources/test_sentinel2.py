"""Sentinel-2 products of several levels and baselines: the same reflectance from all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.made_products import Sentinel2, plain_numbers, zipped

from clairemap.artefacts.scene_sources import ResolvedRole
from clairemap.errors import BandCountError, MissingFileError, UnreadableFileError, ValuesError
from clairemap.raster.source import Block
from clairemap.sources.cells import cell_of
from clairemap.sources.readers import local_files
from clairemap.sources.wanted import Wanted

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]

MADE = {
    "L2A 02.14": Sentinel2(baseline="02.14", offset=None),
    "L2A 04.00": Sentinel2(baseline="04.00"),
    "L2A 05.10": Sentinel2(),
    "L1C 02.14": Sentinel2(level="L1C", baseline="02.09", offset=None),
    "L1C 05.10": Sentinel2(level="L1C"),
}


def shifted(key: str, side: int) -> np.ndarray:
    """Return numbers with the offset of baseline 04.00: the same ground as `plain_numbers` before."""
    numbers = plain_numbers(key, side)
    return np.where(numbers > 0, numbers + 1000, 0).astype(np.uint16)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("packed", [False, True])
def test_all_baselines_give_the_same_reflectance(name: str, packed: bool, tmp_path: Path, read: Read):
    made = MADE[name]
    product = replace(made, numbers=plain_numbers if made.offset is None else shifted).write(tmp_path)
    block = read(zipped(product) if packed else product, bands=["red", "B08", "green"])
    expected = np.stack([plain_numbers(key, 120) for key in ("B04", "B08", "B03")])
    assert np.array_equal(block.valid, expected[0] > 0)
    assert np.array_equal(block.values[:, block.valid], expected[:, block.valid])


def test_bands_of_larger_pixels_are_brought_to_the_finest_grid(tmp_path: Path, read: Read):
    product = Sentinel2(numbers=shifted).write(tmp_path)
    nearest = read(product, bands=["red", "swir16"], resampling="nearest")
    coarse = plain_numbers("B11", 60)
    assert np.array_equal(nearest.values[1][nearest.valid], np.kron(coarse, np.ones((2, 2)))[nearest.valid])
    bilinear = read(product, bands=["red", "swir16"])
    assert np.array_equal(bilinear.valid, plain_numbers("B04", 120) > 0), "no band decides on nodata of another"
    inside = bilinear.values[1][:, 14:-1]
    assert np.abs(np.diff(inside, axis=1)).max() <= 4, "a ramp stays a ramp"
    assert inside.min() >= coarse[coarse > 0].min(), "nodata is not mixed in"


def test_dark_pixels_stay_valid(tmp_path: Path, read: Read):
    def dark(key: str, side: int) -> np.ndarray:
        return np.where(np.arange(side) < side // 50, 940, plain_numbers(key, side) + 1000).astype(
            np.uint16
        ) + np.zeros((side, 1), np.uint16)

    block = read(Sentinel2(numbers=dark).write(tmp_path), bands=["red"])
    assert block.valid[:, :2].all() and (block.values[0, :, :2] == -60).all()


def test_metadata_are_recorded(tmp_path: Path, roles: Roles):
    product = Sentinel2().write(tmp_path)
    found = roles({"optical": product}, optical={"bands": ["red", "B11"]})
    optical, cloud = found["optical"], found["cloud"]
    assert optical.facts.ids == (product.name.removesuffix(".SAFE"),)
    assert (str(optical.facts.acquired), optical.facts.cloud_cover_pct) == ("2026-05-12", 12.5)
    assert (optical.facts.baseline, optical.facts.platform) == ("05.10", "Sentinel-2A")
    assert [band.offset_from for band in optical.bands] == [
        "MTD_MSIL2A.xml, BOA_ADD_OFFSET of band_id 3",
        "MTD_MSIL2A.xml, BOA_ADD_OFFSET of band_id 11",
    ]
    assert optical.unit == "reflectance x 10000, offset removed"
    assert (cloud.coding, cloud.cell, cloud.grid.width) == ("scl", "optical", 60)
    assert all(not band.file.startswith("/") for role in found.values() for band in role.bands)


def test_another_quantification_is_brought_to_the_same_unit(tmp_path: Path, read: Read):
    product = Sentinel2(baseline="02.14", offset=None, quantification=1000).write(tmp_path)
    block = read(product, bands=["red"])
    assert np.array_equal(block.values[0][block.valid], plain_numbers("B04", 120)[block.valid] * 10.0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Sentinel2(baseline="05.10", offset=None), "PROCESSING_BASELINE 05.10 has the offset -1000, but the metadata"),
        (Sentinel2(baseline="02.14"), "BOA_ADD_OFFSET of band_id 3 states the offset -1000, but"),
    ],
)
def test_metadata_that_contradict_each_other_are_refused(made: Sentinel2, words: str, tmp_path: Path, read: Read):
    product = replace(made, numbers=shifted).write(tmp_path)
    with pytest.raises(ValuesError, match=words):
        read(product, bands=["red"])
    block = read(product, bands=["red"], offset=-1000)
    assert np.array_equal(block.values[0][block.valid], plain_numbers("B04", 120)[block.valid])
    assert read(product, bands=["red"], scene_offsets={"west": 0, "east": 5}).values.max() > block.values.max()


def test_bands_that_the_product_lacks_are_listed(tmp_path: Path, read: Read):
    product = Sentinel2(level="L1C").write(tmp_path)
    with pytest.raises(BandCountError, match=r"has no band ndvi, B8A; its bands: B02 or blue, B03 or green, .* swir16"):
        read(product, bands=["red", "ndvi", "B8A"])


@pytest.mark.parametrize("fault", ["missing", "truncated", "metadata", "no metadata"])
def test_incomplete_downloads_are_named(fault: str, tmp_path: Path, read: Read):
    product = Sentinel2().write(tmp_path)
    (image,) = product.rglob("*_B04_10m.jp2")
    metadata = product / "MTD_MSIL2A.xml"
    if fault == "missing":
        image.unlink()
    elif fault == "truncated":
        image.write_bytes(image.read_bytes()[:-50])
    elif fault == "metadata":
        metadata.write_bytes(metadata.read_bytes()[:900])
    else:
        metadata.unlink()
    kind = MissingFileError if fault in ("missing", "no metadata") else UnreadableFileError
    with pytest.raises(kind, match="download") as caught:
        read(product, bands=["red"])
    assert {"missing": image.name, "truncated": "by the product's manifest"}.get(fault, "MTD_MSIL2A.xml") in str(
        caught.value
    )


def test_a_truncated_image_without_a_manifest_is_an_error(tmp_path: Path, read: Read):
    product = Sentinel2().write(tmp_path)
    (product / "manifest.safe").unlink()
    (image,) = product.rglob("*_B04_10m.jp2")
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    with pytest.raises(UnreadableFileError, match="B04_10m"):
        read(product, bands=["red"])


def test_l1c_has_no_scene_classification(tmp_path: Path, roles: Roles):
    product = Sentinel2(level="L1C").write(tmp_path)
    assert list(roles({"optical": product}, optical={"bands": ["red"]})) == ["optical"]
    with pytest.raises(BandCountError, match="no cloud mask or scene classification"):
        roles({"optical": product, "cloud": "scl"}, optical={"bands": ["red"]})


def test_the_files_behind_a_product_are_its_metadata_and_the_finest_wanted_images(tmp_path: Path):
    product = Sentinel2().write(tmp_path)
    cell = cell_of("optical", str(product))
    found = [path.name for path in local_files(cell, Wanted("optical", ("red", "B11"))).values()]
    stem = "T33UWQ_20260512T100031"
    assert found == ["MTD_MSIL2A.xml", "manifest.safe", f"{stem}_B04_10m.jp2", f"{stem}_B11_20m.jp2"]
    clouds = local_files(cell, Wanted("cloud"))
    assert [path.name for path in clouds.values()][-1] == f"{stem}_SCL_20m.jp2"
    assert all(path.is_file() for path in clouds.values())
