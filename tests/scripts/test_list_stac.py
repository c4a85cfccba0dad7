import json
import logging
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from clairemap.catalogues import documents
from clairemap.errors import MissingFileError, NoOverlapError, SettingsError, UnreadableFileError
from clairemap.scenes import SampleSheet, read_sample_sheet

WEST, EAST = (10.0, 46.0, 11.0, 47.0), (11.2, 46.0, 12.2, 47.0)
SWATH = (9.0, 45.5, 11.8, 47.5)
"""Footprint of SAR items: covers `WEST`, and 60 % of `EAST`."""
Listed = Callable[..., SampleSheet]


@pytest.fixture
def listed(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    """Return ``listed(*items, **options)``: the sample sheet that the script writes."""

    def run(*items: object, sheet: str = "listed/alps.csv", **options: Any) -> SampleSheet:
        stage("list_stac")(items=[str(item) for item in items], sheet=tmp_path / sheet, **options)
        return read_sample_sheet(tmp_path / sheet, Path("elsewhere"), trains=False)

    return run


@pytest.fixture
def earth_search(made_catalogues: ModuleType) -> list[dict]:
    return [
        made_catalogues.sentinel2_c1("S2B_T32TPS_20240603T101559_L2A", WEST, "2024-06-03T10:16:05.000000Z"),
        made_catalogues.sentinel2_c1("S2B_T32TQS_20240613T101559_L2A", EAST, "2024-06-13T10:16:02Z", 40.0),
        made_catalogues.sentinel1_grd("S1A_IW_GRDH_1SDV_20240601T053500", SWATH, "2024-06-01T05:35:00.5Z"),
        made_catalogues.sentinel1_grd("S1A_IW_GRDH_1SDV_20240613T053500", SWATH, "2024-06-13T05:35:00.5Z"),
    ]


@pytest.fixture
def planetary(made_catalogues: ModuleType) -> list[dict]:
    items = [
        made_catalogues.sentinel2_pc("S2A_MSIL2A_20240603T101031_R022_T32TPS", WEST, "2024-06-03T10:10:31.024000Z"),
        made_catalogues.sentinel1_rtc("S1A_IW_GRDH_1SDV_20240601T053500_rtc", SWATH, "2024-06-01T05:35:12.5Z"),
    ]
    return [made_catalogues.with_self(item, made_catalogues.PLANETARY_COMPUTER) for item in items]


def test_a_static_catalogue_is_walked_and_paired(
    listed: Listed, made_catalogues: ModuleType, earth_search: list[dict], tmp_path: Path
) -> None:
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    first, second = listed(catalogue)
    assert first.scene == "S2B_T32TPS_20240603T101559_L2A" and second.scene == "S2B_T32TQS_20240613T101559_L2A"
    assert (first.region, second.region) == ("alps_20240603", "alps_20240613")
    assert first.split == "predict" and not first.label
    assert first.sar is not None and first.sar.endswith("S1A_IW_GRDH_1SDV_20240601T053500.json")
    assert second.sar is not None and second.sar.endswith("S1A_IW_GRDH_1SDV_20240613T053500.json")
    assert [str(day) for day in (*first.dates, *second.dates)] == ["2024-06-03", "2024-06-01", *["2024-06-13"] * 2]
    for scene in (first, second):
        assert all(Path(cell).is_absolute() for cell in scene.sources.values())
        named = json.loads(Path(str(scene.optical)).read_text())
        assert named["id"] == scene.scene
    assert not (tmp_path / "listed" / "items").exists()


def test_items_of_a_saved_search_are_named_by_their_own_address(
    listed: Listed, made_catalogues: ModuleType, planetary: list[dict], tmp_path: Path
) -> None:
    planetary[1]["links"][0]["href"] += "?v=1;2"
    saved = made_catalogues.item_collection(tmp_path / "search.json", planetary)
    (scene,) = listed(saved)
    items = f"{made_catalogues.PLANETARY_COMPUTER}/collections"
    assert scene.optical == f"{items}/sentinel-2-l2a/items/S2A_MSIL2A_20240603T101031_R022_T32TPS"
    assert scene.sar == f"{items}/sentinel-1-rtc/items/S1A_IW_GRDH_1SDV_20240601T053500_rtc?v=1%3B2"


def test_items_without_an_address_are_written_beside_the_sheet_with_absolute_links(
    listed: Listed, made_catalogues: ModuleType, earth_search: list[dict], tmp_path: Path
) -> None:
    earth_search[0]["assets"]["red"]["href"] = "./tiles/B04.tif"
    earth_search[0]["id"] = "S2 of Zürich: 3/6"
    saved = made_catalogues.item_collection(tmp_path / "data" / "search.json", earth_search)
    first = listed(saved)["S2_of_Z_rich_3_6"]
    assert first.optical == str(tmp_path / "listed" / "items" / "S2_of_Z_rich_3_6.json")
    written = json.loads(Path(first.optical).read_text())
    assert written["assets"]["red"]["href"] == str(tmp_path / "data" / "tiles" / "B04.tif")
    assert written["assets"]["scl"] == earth_search[0]["assets"]["scl"] and written["id"] == "S2 of Zürich: 3/6"
    assert len(list((tmp_path / "listed" / "items").iterdir())) == 4


def test_conditions_apply_to_optical_items_and_dates_with_a_margin_to_sar(
    listed: Listed,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    caplog.set_level(logging.INFO)
    (by_date,) = listed(catalogue, dates="2024-06-02/2024-06-12", sheet="dates.csv")
    assert by_date.scene.startswith("S2B_T32TPS") and str(by_date.sar_date) == "2024-06-01"
    assert "left out: 1 outside the dates" in caplog.text
    (by_cloud,) = listed(catalogue, max_cloud=20, sheet="cloud.csv")
    (by_place,) = listed(catalogue, bbox=(9.0, 46.1, 10.1, 46.2), sheet="place.csv")
    assert by_date.sources == by_cloud.sources == by_place.sources
    with pytest.raises(NoOverlapError, match=r"2 another collection"):
        listed(catalogue, collections=["sentinel-2-c1-l2a"], sheet="none.csv")
    assert not (tmp_path / "none.csv").exists()


def test_the_place_of_a_geojson_file_names_the_region(
    listed: Listed, made_catalogues: ModuleType, earth_search: list[dict], tmp_path: Path
) -> None:
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    feature = {"type": "Feature", "geometry": made_catalogues.polygon((12.0, 46.1, 12.1, 46.2)), "properties": {}}
    place = made_catalogues.write_json(
        tmp_path / "Val d'Adige.geojson", {"type": "FeatureCollection", "features": [feature]}
    )
    with pytest.raises(NoOverlapError, match=r"2 outside the place.*|3 outside the place"):
        listed(catalogue, region=place)
    feature["geometry"] = made_catalogues.polygon((11.5, 46.1, 12.1, 46.2))
    made_catalogues.write_json(place, feature)
    label = made_catalogues.write_json(tmp_path / "fields.geojson", {})
    (scene,) = listed(catalogue, region=place, split="test", label=label)
    assert (scene.region, scene.split, scene.label) == ("Val_d_Adige_20240613", "test", str(label))
    made_catalogues.write_json(place, {**feature, "crs": {"properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}})
    with pytest.raises(UnreadableFileError, match=r"32632.*longitudes and latitudes"):
        listed(catalogue, region=place)


def test_what_has_no_partner_is_named_with_the_reason(
    listed: Listed,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    far = made_catalogues.sentinel2_c1("S2_far", (30.0, 1.0, 31.0, 2.0), "2024-06-03T10:16:05Z")
    late = made_catalogues.sentinel2_c1("S2_late", WEST, "2024-06-25T10:16:05Z")
    odd = made_catalogues.item("land cover", "io-lulc", WEST, "2024-06-03T00:00:00Z", {})
    items = [*earth_search, far, late, odd]
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", items)
    caplog.set_level(logging.INFO)
    (scene,) = listed(catalogue, min_overlap=0.7)
    assert scene.scene.startswith("S2B_T32TPS")
    assert "no partner for S2_far (sentinel-2-c1-l2a): no SAR item overlaps" in caplog.text
    assert "S1A_IW_GRDH_1SDV_20240613T053500, is 12.2 days away" in caplog.text
    assert "SAR items within 6 days cover at most 60 % of it (S1A_IW_GRDH_1SDV_20240613T053500, 0.2 days" in caplog.text
    assert "1 item(s) left out that are neither optical nor SAR" in caplog.text and "land cover" in caplog.text
    assert "1 SAR item(s) are not used" in caplog.text
    assert "2 item(s) of sentinel-1-grd: images without terrain correction" in caplog.text
    assert "1 pair(s) of 4 optical and 2 SAR item(s), overlap 100 to 100 %, 2.2 to 2.2 days apart" in caplog.text


def test_named_collections_decide_what_is_optical_and_sar(
    listed: Listed, made_catalogues: ModuleType, tmp_path: Path
) -> None:
    ours = made_catalogues.item("mosaic", "our-optical", WEST, "2024-06-03T00:00:00Z", {})
    theirs = made_catalogues.item("backscatter", "our-sar", WEST, "2024-06-03T00:00:00Z", {})
    saved = made_catalogues.item_collection(tmp_path / "search.json", [ours, theirs])
    (scene,) = listed(saved, optical_collection=["our-optical"], sar_collection=["our-sar"], region_name="ours")
    assert (scene.scene, scene.region) == ("mosaic", "ours") and scene.sar == str(
        tmp_path / "listed" / "items" / "backscatter.json"
    )


def test_faulty_documents_and_items_are_all_listed(
    listed: Listed,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    (tmp_path / "broken.json").write_text('{"type": "Feature", ')
    bare = {**earth_search[0], "id": "bare", "geometry": None, "properties": {"datetime": None}}
    moved = {**earth_search[0], "properties": {"datetime": "2023-01-01T00:00:00Z"}}
    half = {**earth_search[0], "id": "half", "properties": {"datetime": None, "start_datetime": "2024-06-01"}}
    metres = {**earth_search[0], "id": "metres", "geometry": made_catalogues.polygon((6e5, 5e6, 7e5, 6e6))}
    nameless = {key: value for key, value in earth_search[0].items() if key != "id"}
    saved = made_catalogues.item_collection(tmp_path / "search.json", [bare, moved, half, metres, nameless])
    raster = tmp_path / "B04.json"
    raster.write_bytes(b"II*\0\xff\xfe\xff")
    (tmp_path / "catalogue" / "sentinel-1-grd" / earth_search[2]["id"] / f"{earth_search[2]['id']}.json").unlink()
    with pytest.raises(UnreadableFileError) as error:
        listed(catalogue, tmp_path / "broken.json", saved, raster)
    for part in (
        r"broken.json: is not valid JSON (line 1, column 21",
        "feature 1 (bare): has no datetime, and not both start_datetime and end_datetime; has no geometry",
        "S2B_T32TPS_20240603T101559_L2A.json: has the id of another item with another time or geometry, in ",
        "search.json, feature 2\n",
        "feature 3 (half): has no datetime, and not both",
        "feature 4 (metres): its geometry has coordinates that are not longitudes and latitudes",
        "feature 5: has no id",
        "B04.json: is not JSON but a binary file",
        f"{earth_search[2]['id']}.json: cannot be read (No such file or directory)",
        "8 document(s) or item(s) cannot be used",
    ):
        assert part in str(error.value), part
    scenes = list(listed(catalogue, tmp_path / "broken.json", saved, raster, on_faulty="leave_out"))
    assert [scene.scene for scene in scenes] == ["S2B_T32TQS_20240613T101559_L2A"]
    assert "8 document(s) or item(s) left out" in caplog.text


def test_an_item_that_is_found_twice_is_listed_once(
    listed: Listed,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalogue = made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    copy = made_catalogues.static_catalogue(tmp_path / "copy", earth_search[:1])
    caplog.set_level(logging.INFO)
    assert len(list(listed(catalogue, catalogue.parent / "sentinel-1-grd" / "collection.json", copy))) == 2
    assert "left out: 1 found twice" in caplog.text


def test_an_image_that_was_processed_again_is_remarked(
    listed: Listed,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = made_catalogues.sentinel2_pc("S2B_processed_again", WEST, "2024-06-03T10:16:05.5Z")
    beside = made_catalogues.sentinel2_pc("S2B_beside", (10.5, 46.0, 11.5, 47.0), "2024-06-03T10:16:05Z")
    listed(made_catalogues.item_collection(tmp_path / "search.json", [*earth_search, again, beside]))
    (remark,) = [record.message for record in caplog.records if "the same image" in record.message]
    assert remark == (
        "the same image in 2 items, keep one row: S2B_T32TPS_20240603T101559_L2A (sentinel-2-c1-l2a), "
        "S2B_processed_again (sentinel-2-l2a)"
    )


def test_an_existing_sheet_is_replaced_only_if_forced(
    listed: Listed, made_catalogues: ModuleType, earth_search: list[dict], tmp_path: Path
) -> None:
    saved = made_catalogues.item_collection(tmp_path / "search.json", earth_search)
    listed(saved)
    sheet = tmp_path / "listed" / "alps.csv"
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "listed").rglob("*.*")}
    listed(saved)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "listed").rglob("*.*")} == first
    edited = sheet.read_text().replace("predict", "test")
    sheet.write_text(edited)
    with pytest.raises(SettingsError, match=r"would replace files with other content.*alps\.csv.*--force"):
        listed(saved)
    assert sheet.read_text() == edited
    listed(saved, force=True)
    assert "predict" in sheet.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "train"}, "--split train: needs labels"),
        ({"dates": "2024-06"}, r"--dates '2024-06': not a period"),
        ({"dates": "2024-13-01"}, "not a period"),
        ({"dates": "2024-06-02/2024-06-01"}, "later than the last"),
        ({"bbox": (1.0, 2.0, 1.0, 3.0)}, "--bbox 1 2 1 3"),
        ({"bbox": (500000.0, 2.0, 600000.0, 3.0)}, "degrees"),
        ({"region_name": "south tyrol"}, "--region-name 'south tyrol'"),
    ],
)
def test_options_that_do_not_fit_are_errors(
    listed: Listed, made_catalogues: ModuleType, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        listed(made_catalogues.item_collection(tmp_path / "search.json", []), **options)


def test_missing_files_are_listed(listed: Listed, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"a\.json, .*b\.json: no such file"):
        listed(tmp_path / "a.json", tmp_path / "b.json")


# A STAC API


class Api(BaseHTTPRequestHandler):
    """A STAC API with pages of one item; `/static/` serves a folder and fails twice for each file."""

    items: list[dict]
    searches: list[dict]
    folder: Path
    asked: list[str]

    def log_message(self, *_arguments: object) -> None:
        pass

    @property
    def root(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"

    def answer(self, document: object, status: int = 200, cut: int = 0) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut])

    def do_GET(self) -> None:  # noqa: N802
        path = urllib.parse.urlsplit(self.path).path
        self.asked.append(path)
        if path == "/":
            self.answer(self.landing())
        elif path.startswith("/static/"):
            self.answer_static(self.folder / path.removeprefix("/static/"), path)
        elif path == "/collections/sentinel-2-c1-l2a":
            links = [{"rel": "items", "href": f"{self.root}{path}/items"}, {"rel": "root", "href": f"{self.root}/"}]
            self.answer({"type": "Collection", "stac_version": "1.0.0", "id": "sentinel-2-c1-l2a", "links": links})
        else:
            self.answer({"code": "NotFound"}, 404)

    def answer_static(self, file: Path, path: str) -> None:
        if not file.is_file():
            self.answer({}, 404)
        elif self.asked.count(path) == 1:
            self.answer({}, 503)
        elif self.asked.count(path) == 2:
            self.answer(file.read_bytes(), cut=10)
        else:
            self.answer(file.read_bytes())

    def do_POST(self) -> None:  # noqa: N802
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.searches.append(asked)
        if len(self.searches) == 1:
            self.answer({}, 503)
            return
        if "unknown" in asked["collections"]:
            self.answer({"code": "NotFoundError", "description": "no collection unknown"}, 404)
            return
        fitting = [item for item in self.items if item["collection"] in asked["collections"]]
        page = int(asked.get("token", 0))
        links = []
        if page + 1 < len(fitting):
            body = {**asked, "token": str(page + 1)}
            links = [{"rel": "next", "method": "POST", "href": f"{self.root}/search", "body": body}]
        self.answer({"type": "FeatureCollection", "features": fitting[page : page + 1], "links": links})

    def landing(self) -> dict[str, Any]:
        search = {"rel": "search", "type": "application/geo+json", "href": f"{self.root}/search"}
        return {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "made",
            "description": "made",
            "conformsTo": ["https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/item-search"],
            "links": [{"rel": "self", "href": self.root}, {**search, "method": "POST"}, {**search, "method": "GET"}],
        }


class Server(NamedTuple):
    address: str
    api: type[Api]


@pytest.fixture
def api(earth_search: list[dict], made_catalogues: ModuleType, tmp_path: Path) -> Iterator[Server]:
    kind = type("MadeApi", (Api,), {"searches": [], "asked": [], "folder": tmp_path / "catalogue"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    kind.items = [made_catalogues.with_self(item, address) for item in earth_search]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Server(address, kind)
    server.shutdown()
    thread.join()
    server.server_close()


SEARCH: dict[str, Any] = {
    "collections": ["sentinel-2-c1-l2a", "sentinel-1-grd"],
    "bbox": (9.5, 46.0, 11.5, 46.5),
    "dates": "2024-06-01/2024-06-30",
}


def test_an_api_is_searched_page_by_page(listed: Listed, api: Server) -> None:
    pytest.importorskip("pystac_client")
    first, second = listed(api.address, **SEARCH, max_cloud=50)
    assert first.optical == f"{api.address}/collections/sentinel-2-c1-l2a/items/S2B_T32TPS_20240603T101559_L2A"
    assert second.sar == f"{api.address}/collections/sentinel-1-grd/items/S1A_IW_GRDH_1SDV_20240613T053500"
    assert len(api.api.searches) == 1 + 4  # the first request fails
    asked = api.api.searches[0]
    assert asked["collections"] == SEARCH["collections"] and asked["intersects"]["type"] == "Polygon"
    assert asked["datetime"] == "2024-05-26T00:00:00Z/2024-07-06T23:59:59Z"
    assert not {"query", "filter"} & set(asked)  # SAR items have no cloud cover


def test_collections_of_an_api_are_searched_at_the_api(listed: Listed, api: Server) -> None:
    pytest.importorskip("pystac_client")
    collection = f"{api.address}/collections/sentinel-2-c1-l2a"
    with pytest.raises(NoOverlapError, match="of 2 optical and 0 SAR"):
        listed(collection, bbox=SEARCH["bbox"], dates=SEARCH["dates"])
    assert {tuple(asked["collections"]) for asked in api.api.searches} == {("sentinel-2-c1-l2a",)}


def test_a_search_that_the_server_refuses_is_an_error(listed: Listed, api: Server) -> None:
    pytest.importorskip("pystac_client")
    with pytest.raises(UnreadableFileError, match=r"the search failed .*no collection unknown"):
        listed(api.address, **{**SEARCH, "collections": ["unknown"]})


def test_a_search_without_limits_is_refused(listed: Listed, api: Server) -> None:
    pytest.importorskip("pystac_client")
    with pytest.raises(SettingsError, match="restrict the search with --collections, --bbox or --region, --dates"):
        listed(api.address)
    assert not api.api.searches


def test_without_pystac_client_the_message_has_the_command(
    listed: Listed, api: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pystac_client", None)
    with pytest.raises(SettingsError, match=r"needs pystac-client: pip install .*\[stac\]"):
        listed(api.address, **SEARCH)


def test_a_catalogue_on_a_server_is_walked_with_retries(
    listed: Listed,
    api: Server,
    made_catalogues: ModuleType,
    earth_search: list[dict],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(documents, "FIRST_PAUSE_S", 0.01)
    made_catalogues.static_catalogue(tmp_path / "catalogue", earth_search)
    first, _ = listed(f"{api.address}/static/catalog.json")
    name = earth_search[0]["id"]
    assert first.optical == f"{api.address}/static/sentinel-2-c1-l2a/{name}/{name}.json"
    assert len(api.api.asked) == 3 * 7  # the first request of each file fails, the second ends early
    with pytest.raises(UnreadableFileError, match=r"none\.json: cannot be read \(HTTP status 404"):
        listed(f"{api.address}/static/none.json")
    assert api.api.asked.count("/static/none.json") == 1
