"""Landsat Collection 2 Level-2 products."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.made_products import write_landsat

from clairemap.artefacts.scene_sources import ResolvedRole
from clairemap.errors import BandCountError, MissingFileError
from clairemap.raster.source import Block

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]
NEW, OLD = "LC09_L2SP_190027_20220512_20230417_02_T1", "LT05_L2SP_190027_19900512_20200915_02_T1"
NUMBERS = np.arange(7300, 7336, dtype=np.uint16).reshape(6, 6)


def made(folder: Path, name: str = NEW) -> Path:
    """Write a product with three bands and the quality band; the first pixel has no data."""
    bands = {"B3": NUMBERS, "B4": NUMBERS + 1000, "B5": NUMBERS + 9000}
    for values in bands.values():
        values[0, 0] = 0
    return write_landsat(folder / "landsat", name, {**bands, "QA_PIXEL": np.where(NUMBERS > 7320, 8, 21824)})


@pytest.mark.parametrize("packed", [False, True])
def test_bands_are_reflectance_without_the_offset(packed: bool, tmp_path: Path, read: Read):
    product = made(tmp_path)
    if packed:
        with tarfile.open(tmp_path / "p.tar", "w") as tape:
            for path in sorted(product.iterdir()):
                tape.add(path, path.name)
        product = tmp_path / "p.tar"
    block = read(product, bands=["red", "nir", "B3"])
    more = np.array([1000, 9000, 0])[:, None, None]
    expected = ((NUMBERS.astype(float) + more) * 2.75e-05 - 0.2) * 10_000
    assert not block.valid[0, 0] and block.valid.sum() == 35
    assert np.allclose(block.values[:, block.valid], expected[:, block.valid], atol=1e-3)


def test_bands_of_older_satellites_have_other_numbers(tmp_path: Path, read: Read):
    block = read(made(tmp_path, OLD), bands=["red", "nir", "swir16"])
    assert block.values[1, 3, 3] - block.values[0, 3, 3] == pytest.approx(1000 * 0.275)


def test_metadata_and_the_quality_band_are_used(tmp_path: Path, roles: Roles):
    found = roles({"optical": made(tmp_path)}, optical={"bands": ["red"]})
    facts = found["optical"].facts
    assert (facts.ids, str(facts.acquired), facts.cloud_cover_pct) == ((NEW,), "2022-05-12", 3.2)
    assert found["cloud"].coding == "qa_pixel"


def test_missing_parts_are_named(tmp_path: Path, read: Read):
    product = made(tmp_path)
    with pytest.raises(BandCountError, match="has no band ndvi; its bands: B3 or green, B4 or red, B5 or nir08"):
        read(product, bands=["ndvi"])
    with pytest.raises(MissingFileError, match="the image of B6 is missing"):
        read(product, bands=["red", "swir16"])
    (product / f"{NEW}_MTL.xml").unlink()
    with pytest.raises(MissingFileError, match=r"_MTL\.xml is missing"):
        read(product, bands=["red"])
