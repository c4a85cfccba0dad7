"""STAC items as cells: bands, offsets, masks, facts, and what is not an item."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.made_items import earth_search, metadata, planetary_computer, radar, write_cog, write_images, write_item
from tests.made_products import plain_numbers, scl_numbers
from tests.range_server import range_server

from clairemap.artefacts.scene_sources import ResolvedRole
from clairemap.errors import BandCountError, GridError, MissingFileError, UnreadableFileError, ValuesError
from clairemap.raster.source import Block
from clairemap.sources.cells import cell_of
from clairemap.sources.readers import local_files, read_product
from clairemap.sources.wanted import Wanted

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]
BANDS = ["red", "nir", "swir16"]
RED = plain_numbers("B04", 120)


def darkest(key: str, side: int) -> np.ndarray:
    """Return numbers of a dark scene: with an offset of -1000 most would be negative."""
    return plain_numbers(key, side) // 8


@pytest.fixture
def item(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an item beside its images."""

    def written(content: dict[str, Any], numbers: Any = plain_numbers) -> Path:
        write_images(tmp_path, numbers)
        (tmp_path / "MTD_MSIL2A.xml").write_text(metadata())
        return write_item(tmp_path / "item.json", content)

    return written


def test_offsets_that_the_item_states_are_added_once(item: Callable[..., Path], roles: Roles, read: Read):
    cell = item(earth_search())
    found = roles({"optical": cell}, optical={"bands": BANDS})
    optical = found["optical"]
    assert [(band.file, band.offset, band.scale) for band in optical.bands] == [
        ("B04.tif", -1000, 1), ("B08.tif", -1000, 1), ("B11.tif", -1000, 1),
    ]  # fmt: skip
    assert "offset -0.1 and scale 0.0001 of asset red" in optical.bands[0].offset_from
    assert optical.grid.height == 120 and optical.unit == "reflectance x 10000, offset removed"
    assert found["cloud"].coding == "scl" and found["cloud"].bands[0].file == "SCL.tif"
    block = read(cell, bands=BANDS)
    assert np.array_equal(block.values[0][block.valid], RED[block.valid] - 1000.0)
    assert not block.valid[:, :12].any() and block.valid[:, 14:].all()


def test_an_offset_that_the_provider_removed_is_not_removed_again(item: Callable[..., Path], roles: Roles, read: Read):
    cell = item(earth_search(is_removed=True))
    bands = roles({"optical": cell}, optical={"bands": BANDS})["optical"].bands
    assert {band.offset for band in bands} == {0} and "earthsearch:boa_offset_applied" in bands[0].offset_from
    assert np.array_equal(read(cell, bands=BANDS).values[0], RED)


@pytest.mark.parametrize(
    ("content", "numbers", "reason"),
    [
        (earth_search(offset=0), plain_numbers, "offset 0 and scale 0.0001 of asset red states the offset 0, but"),
        (earth_search(baseline="02.14"), plain_numbers, "02.14 has the offset 0"),
        (earth_search(offset=None), plain_numbers, "metadata state no offset"),
        (earth_search(), darkest, "may have been removed already"),
    ],
)
def test_items_that_contradict_themselves_are_refused(
    content: dict[str, Any], numbers: Any, reason: str, item: Callable[..., Path], roles: Roles
):
    cell = item(content, numbers)
    with pytest.raises(ValuesError, match=rf"item\.json, band red: .*{reason}(.|\n)*Set sensors\.optical\.offset"):
        roles({"optical": cell}, optical={"bands": BANDS})
    decided = roles({"optical": cell}, optical={"bands": BANDS, "offset": 0})
    assert {band.offset for band in decided["optical"].bands} == {0}


def test_offsets_that_only_the_product_states_are_read_there(item: Callable[..., Path], roles: Roles, read: Read):
    cell = item(planetary_computer())
    optical = roles({"optical": cell}, optical={"bands": ["B04", "nir", "B11"]})["optical"]
    assert {band.offset for band in optical.bands} == {-1000}
    assert "MTD_MSIL2A.xml, BOA_ADD_OFFSET of band_id 3" in optical.bands[0].offset_from
    assert np.array_equal(read(cell, bands=["B04"]).values[0][:, 14:], RED[:, 14:] - 1000.0)


def test_older_products_need_no_metadata(item: Callable[..., Path], roles: Roles):
    cell = item(planetary_computer(baseline="03.01"))
    cell.with_name("MTD_MSIL2A.xml").unlink()
    assert roles({"optical": cell}, optical={"bands": BANDS})["optical"].bands[0].offset == 0


@pytest.mark.parametrize(
    "names",
    [
        {"platform": "S2A"},
        {"platform": "Sentinel2-A"},
        {"constellation": "SENTINEL-2"},
        {"s2:processing_baseline": "05.11"},
    ],
)
def test_items_of_sentinel2_are_known_by_all_their_names(
    names: dict[str, str], item: Callable[..., Path], roles: Roles
):
    content = earth_search(offset=None, is_removed=None)
    content["collection"] = "images"
    content["properties"] = {"datetime": "2026-05-12T10:00:31Z", "processing:version": "05.11", **names}
    with pytest.raises(ValuesError, match=r"has the offset -1000, but the metadata state no offset"):
        roles({"optical": item(content)}, optical={"bands": BANDS})


def test_a_pair_of_radar_assets_is_read(tmp_path: Path, read: Read, roles: Roles):
    for number, key in enumerate(("vv", "vh")):
        values = np.full((40, 40), 0.1 + number, np.float32)
        values[0] = -32768
        write_cog(tmp_path / f"{key}.tif", values, 30, nodata=None)
    cell = write_item(tmp_path / "item.json", radar())
    block = read(cell, "sar", bands=["VV", "VH"])
    assert np.allclose(block.values[:, 1:].mean((1, 2)), [0.1, 1.1]) and not block.valid[0].any()
    facts = roles({"sar": cell})["sar"].facts
    assert facts.ids == ("S1A_IW_GRDH_1SDV_20260511_rtc",) and str(facts.acquired) == "2026-05-11"


def test_facts_are_those_of_the_item(item: Callable[..., Path], roles: Roles):
    facts = roles({"optical": item(earth_search())}, optical={"bands": BANDS})["optical"].facts
    assert facts.model_dump(mode="json") == {
        "ids": ["S2A_33UWQ_20260512_0_L2A"], "acquired": "2026-05-12", "cloud_cover_pct": 12.5,
        "platform": "sentinel-2a", "baseline": "05.11",
        "licence": "https://sentinels.copernicus.eu/documents/legal", "links": [],
    }  # fmt: skip


def test_an_assets_crs_comes_before_the_items(tmp_path: Path, roles: Roles):
    content = earth_search(baseline="02.14", offset=0)
    content["properties"]["proj:epsg"] = 32632
    content["assets"]["red"]["proj:code"] = "EPSG:32633"
    write_images(tmp_path)
    for key, bands in (("red", ["red"]), ("nir", ["nir"])):
        name = content["assets"][key]["href"].rpartition("/")[2]
        write_cog(tmp_path / name, plain_numbers("B04", 120), 10, crs=None)
        cell = write_item(tmp_path / "item.json", content)
        grid = roles({"optical": cell}, optical={"bands": bands})["optical"].grid
        assert grid.crs == ("EPSG:32633" if key == "red" else "EPSG:32632")


def test_files_in_different_crs_are_refused(item: Callable[..., Path], roles: Roles):
    cell = item(earth_search())
    write_cog(cell.with_name("B08.tif"), plain_numbers("B08", 120), 10, crs="EPSG:32634")
    with pytest.raises(GridError, match=r"item\.json: B04\.tif is in EPSG:32633.*, B08\.tif in EPSG:32634"):
        roles({"optical": cell}, optical={"bands": ["red", "nir"]})


def test_a_missing_or_ambiguous_asset_is_named(item: Callable[..., Path], roles: Roles):
    cell = item(planetary_computer(keys={"B04": 10, "B05": 20, "B06": 20}))
    with pytest.raises(BandCountError, match=r"item\.json: has no band swir16; its bands: B04 or red, B05"):
        roles({"optical": cell}, optical={"bands": ["swir16"]})
    content = earth_search()
    for key in ("red", "nir"):
        content["assets"][f"other_{key}"] = {**content["assets"].pop(key), "eo:bands": [{"common_name": "pan"}]}
    with pytest.raises(BandCountError, match="several assets may be band pan: other_red, other_nir"):
        roles({"optical": item(content)}, optical={"bands": ["pan"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!DOCTYPE html><html>", "is a web page, not a STAC item"),
        ('{"a": ', "is not JSON"),
        (json.dumps({"type": "Collection", "stac_version": "1.0.0"}), "is a STAC Collection, not an item"),
        (json.dumps({"type": "FeatureCollection", "features": []}), "is a STAC ItemCollection, not an item"),
        (json.dumps({"type": "Feature", "properties": {}}), "is not a STAC item"),
        (json.dumps([]), "is not a STAC item"),
        (json.dumps({**earth_search(), "geometry": None}), "has no geometry"),
        (json.dumps({**earth_search(), "properties": {"datetime": "soon"}}), "not as STAC defines it .*'soon'"),
        (json.dumps({**earth_search(), "assets": {"red": {"href": 1}}}), "not as STAC defines it"),
    ],
)
def test_what_is_not_an_item_is_refused(text: str, message: str, tmp_path: Path):
    path = tmp_path / "item.json"
    path.write_text(text)
    cell, wanted = cell_of("optical", str(path)), Wanted("optical", ("red",))
    with pytest.raises(UnreadableFileError, match=rf"item\.json: .*{message}"):
        read_product(cell, wanted)
    assert local_files(cell, wanted) == {"item.json": path}, "planning goes on"


def test_a_missing_item_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"item\.json: no such file"):
        read_product(cell_of("optical", str(tmp_path / "item.json")), Wanted("optical", ("red",)))


def test_the_local_files_of_an_item_decide_on_reruns(item: Callable[..., Path]):
    cell = cell_of("optical", str(item(earth_search())))
    listed = local_files(cell, Wanted("optical", ("red",)))
    assert {"item.json", "B04.tif"} <= listed.keys() and listed["B04.tif"].exists()
    assert not any("jp2" in name for name in listed), "files on servers are not local"


def test_signed_addresses_are_not_stored(item: Callable[..., Path]):
    content = planetary_computer(href="https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/33")
    for asset in content["assets"].values():
        asset["href"] += "?st=2026&sig=secret"
    del content["assets"]["product-metadata"]
    product = read_product(cell_of("optical", str(item(content))), Wanted("optical", ("red",)))
    assert "secret" not in str(product)
    content["assets"]["B04"]["href"] = "https://host/B04.tif?X-Amz-Signature=secret"
    with pytest.raises(UnreadableFileError, match=r"asset B04 has a signed address \(https://host/B04\.tif\?\.\.\.\)"):
        read_product(cell_of("optical", str(item(content))), Wanted("optical", ("red",)))


def test_relative_addresses_start_at_the_item(tmp_path: Path, roles: Roles, read: Read):
    write_images(tmp_path / "images")
    write_item(tmp_path / "items" / "a.json", earth_search(href="../images"))
    with range_server(tmp_path) as server:
        cell = f"{server.url}/items/a.json"
        optical = roles({"optical": cell}, optical={"bands": ["red"]})["optical"]
        assert optical.bands[0].file == f"{server.url}/images/B04.tif"
        assert optical.facts.links == (cell,)
        assert np.array_equal(read(cell, bands=["red"]).values[0][:, 12:], RED[:, 12:] - 1000.0)
    product = read_product(cell_of("optical", str(tmp_path / "items" / "a.json")), Wanted("optical", ("red",)))
    assert product.chosen(["red"], "")[0].file == "../images/B04.tif"


def test_the_mask_of_an_item_is_its_scene_classification(item: Callable[..., Path], roles: Roles):
    cell = item(earth_search())
    mask = roles({"optical": cell, "cloud": "scl"}, optical={"bands": ["red"]})["cloud"]
    assert mask.coding == "scl" and mask.grid.height == len(scl_numbers("SCL", 60))
