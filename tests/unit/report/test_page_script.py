"""The page's script in Chromium: one page with made content, and hostile names."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from clairemap.report.class_errors import ClassError, ClassErrors
from clairemap.report.content import Interactive, MapPanel, MapSection, ReportContent, TilePictures
from clairemap.report.degrees_grid import degrees_grid
from clairemap.report.interactive import ramp
from clairemap.report.map_frame import MapFrame
from clairemap.report.page import render
from clairemap.report.pictures import ERROR_COLORS, encoded
from clairemap.report.pyramid import deflated
from clairemap.report.style import COUNT_KEY
from clairemap.report.tile_records import COLUMNS

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

HOSTILE = "<img src=x onerror=\"document.title='broken'\">"
NAMES = (HOSTILE, "Wälder & Öde", "</script><b>水体")
PICTURE = encoded(Image.new("RGB", (2, 2), "red"), "WEBP")
HEIGHT, WIDTH = 60, 100
A4_PX = 680
"""Width of A4 without its margins."""
GRID = GeoBox((HEIGHT, WIDTH), Affine(10, 0, 5000, 0, -10, 9000), "EPSG:32632")


def tile(number: int, oa: int | None, text: Any) -> list[Any]:
    left = 50 * (number % 2)
    classes = [[number % 3, 70.0, 0.5 + number / 10], [(number + 1) % 3, 30.0, None]]
    return [
        0, 0, number, 0, oa, oa, 60 + number, 40, 5, "template", "fair", classes, f"line {number}", text,
        0 if number < 2 else None, [left, 0, left + 50, 0, left + 50, 60, left, 60] if number < 2 else [],
        [[0, 9 * number]] if number else [],
    ]  # fmt: skip


def layer(key: str, kind: str, picture: int) -> dict[str, Any]:
    blocks = [[2, 0, 0, WIDTH, HEIGHT, HEIGHT // 2, WIDTH // 2, picture]]
    return {"key": key, "title": key.title(), "kind": kind, "step": 2, "blocks": blocks}


@pytest.fixture(scope="module")
def made() -> Interactive:
    classes = np.zeros((HEIGHT // 2, WIDTH // 2), np.uint8)
    classes[:, 25:] = 1
    classes[:5] = 255
    percent = np.full(classes.shape, 85, np.uint8)
    data = {
        "classes": [
            {"name": name, "color": color} for name, color in zip(NAMES, ("#ff0000", "#00ff00", "#0000ff"), strict=True)
        ],
        "ramps": {"confidence": ramp("viridis"), "optical_share": ramp("PuOr_r")},
        "scenes": COUNT_KEY,
        "errors": ERROR_COLORS,
        "maps": [
            {
                "name": "vale", "box": [0, 0, WIDTH, HEIGHT], "sections": [[0, 0, WIDTH, HEIGHT]], "crs": "EPSG:32632",
                "geographic": False, "world": [10, 0, 5000, 0, -10, 9000], "ground_m": [[10.0]], "north": -2.5,
                "degrees": degrees_grid(MapFrame.of(GRID)),
                "layers": [
                    layer("landcover", "classes", 0), layer("confidence", "percent", 1),
                    layer("optical", "photograph", 2), layer("labels", "classes", 3),
                ],
                "outlines": [["north", [[0, 0], [100, 0], [100, 60], [0, 60]]]], "points": [[20, 30, 1, 0]],
                "choice": [[HOSTILE, {"optical": [[4, 10, 0, 60, 40, 2, 2, 2]], "sar": []}]],
                "scenes_without_picture": 3,
            }
        ],
        "tiles": {
            "columns": COLUMNS, "scenes": ["north"], "splits": ["test"], "errors": [[1, 0]],
            "rows": [
                tile(0, 41, f"Text of tile 0 {HOSTILE}"), tile(1, 77, [["A sentence.", ["IoU 0.5"]], ["Another.", []]]),
                tile(2, None, "Text of tile 2"),
            ],
        },
    }  # fmt: skip
    pictures = (deflated(classes), deflated(percent), PICTURE.source, "damaged")
    return Interactive(data, pictures, ((1, TilePictures(PICTURE, None, PICTURE, None)),))


class Opened:
    """A page in the browser, with what it wrote to the console and what it asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: Path) -> None:
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("#view canvas.pixels")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def opened(browser: Any, made: Interactive, content: ReportContent, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    section = MapSection(PICTURE, PICTURE, PICTURE, PICTURE, "all", "5 km", 20.0)
    shown = replace(
        content,
        title=HOSTILE,
        maps=(MapPanel("vale", "100 pixels wide", (section,)),),
        tiles=tuple(replace(card, position=2 * number) for number, card in enumerate(content.tiles)),
        interactive=made,
        errors=ClassErrors((None, ClassError(1, 0, 0.25, is_false=False), None), ((1, 0),)),
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(shown), encoding="utf-8")
    opened = Opened(browser.new_page(viewport={"width": 1280, "height": 900}))
    opened.open(path)
    return opened


@pytest.fixture
def page(opened: Opened) -> Any:
    """Return the page without an open tile."""
    opened.page.evaluate("document.getElementById('close').click()")
    return opened.page


def until(page: Any, condition: str) -> None:
    """Wait for a condition. The page's policy forbids Playwright's own way, which evaluates texts in the page."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def pixel(page: Any, x: int, y: int) -> list[int]:
    return page.evaluate(  # type: ignore[no-any-return]
        "([x, y]) => [...document.querySelector('#view canvas.pixels').getContext('2d').getImageData(x, y, 1, 1).data]",
        [x, y],
    )


def test_it_opens_without_errors_and_requests(opened: Opened):
    assert opened.messages == []
    assert len(opened.requests) == 1
    assert opened.page.title() == f"{HOSTILE} · land cover"


def test_names_of_classes_are_text(page: Any):
    assert page.locator("#classes li").all_inner_texts() == list(NAMES)
    assert page.locator("img[src=x]").count() == 0


def test_a_hidden_class_becomes_transparent(page: Any):
    assert pixel(page, 10, 20) == [255, 0, 0, 255] and pixel(page, 10, 2)[3] == 0
    page.locator("#classes input").first.uncheck()
    assert pixel(page, 10, 20)[3] == 0 and pixel(page, 40, 20) == [0, 255, 0, 255]
    page.click("#all-classes")
    assert pixel(page, 10, 20) == [255, 0, 0, 255]


def test_the_pointer_has_coordinates_and_values(page: Any):
    place = page.evaluate("report.viewer.map.latLngToContainerPoint([40.5, 80.5])")
    until(page, "report.viewer.current.layers[1].parts?.[0].values")
    page.hover("#view", position={"x": place["x"], "y": place["y"]})
    text = page.inner_text("#pointer")
    assert text.startswith("E 58") and ", N 85" in text and "0.07" in text and "° N, 4." in text
    assert "landcover: Wälder & Öde" in text and "confidence: 85 %" in text


def test_longitude_and_latitude_are_those_of_the_crs(page: Any):
    transformer = pyproj.Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True)
    for x, y in ((0.0, 0.0), (80.5, 40.5), (33.3, 59.9), (100.0, 60.0)):
        found = page.evaluate("([x, y]) => report.viewer.degreesAt(L.latLng(y, x))", [x, y])
        assert found == pytest.approx(transformer.transform(5000 + 10 * x, 9000 - 10 * y), abs=2e-7)
    assert page.evaluate("report.viewer.degreesAt(L.latLng(61, 5))") is None


def test_the_scale_bar_has_the_length_on_the_ground(page: Any):
    width = page.evaluate("document.getElementById('scale').getBoundingClientRect().width - 3")
    per_pixel = page.evaluate("10 / 2 ** report.viewer.map.getZoom()")
    metres = float(page.inner_text("#scale-text").removesuffix(" m"))
    assert abs(width + 3 - metres / per_pixel) < 4


def test_layers_are_swiped(page: Any):
    page.select_option("#compared", "optical")
    page.wait_for_selector(".leaflet-second-pane img")
    halves = []
    for share in ("25", "75"):
        page.locator("#swipe").fill(share)
        halves.append(float(page.evaluate("parseFloat(document.getElementById('divider').style.left)")))
    assert halves[0] < page.evaluate("report.viewer.map.getSize().x") / 2 < halves[1]
    left = page.evaluate("report.viewer.map.getPane('second').style.clip.match(/(-?[\\d.]+)px\\)$/)[1]")
    assert abs(float(left) - halves[1]) < 2
    page.select_option("#compared", "")
    assert page.locator(".leaflet-second-pane img").count() == 0 and not page.is_visible("#swipe")


def test_a_covered_scene_is_put_on_top(page: Any):
    assert not page.is_visible("#scene")
    page.select_option("#layer", "optical")
    page.wait_for_selector(".leaflet-first-pane img")
    assert "Where scenes overlap, the one with the least cloud is on top. 3 covered" in page.inner_text("#resolution")
    page.select_option("#scene", "0")
    until(page, "document.querySelectorAll('.leaflet-first-pane img').length === 2")
    order = page.evaluate("[...document.querySelectorAll('.leaflet-first-pane img')].map((each) => each.style.zIndex)")
    assert int(order[1]) > int(order[0])
    assert f"{HOSTILE} is on top, one pixel for 4 × 4." in page.inner_text("#resolution")
    page.select_option("#scene", "")
    assert page.locator(".leaflet-first-pane img").count() == 1
    page.select_option("#layer", "landcover")


def test_a_damaged_picture_is_named(page: Any):
    page.select_option("#layer", "labels")
    until(page, "document.getElementById('damage').textContent.includes('“Labels” is damaged')")
    page.select_option("#layer", "landcover")
    assert page.locator(".leaflet-first-pane canvas").count() == 1


def test_a_click_on_the_map_opens_the_tile(page: Any):
    place = page.evaluate("report.viewer.map.latLngToContainerPoint([40, 20])")
    page.click("#view", position={"x": place["x"], "y": place["y"]})
    assert page.inner_text("#tile-name") == "north, row 0, column 0"
    assert HOSTILE in page.inner_text("#tile-text")
    assert page.evaluate("document.activeElement.id") == "tile-name"
    assert page.locator("#tile-pictures img").count() >= 4  # those of its card
    page.click("#next")
    assert page.inner_text("#tile-name").endswith("column 1")
    assert page.locator("#tile-pictures img").count() == 2 and "no SAR image" in page.inner_text("#tile-pictures")
    assert not page.is_visible(".figures")
    page.focus(".sentence")
    assert page.inner_text(".figures") == "IoU 0.5"
    page.keyboard.press("Escape")
    assert not page.is_visible("#tile")


def test_tiles_are_filtered_and_ordered(page: Any):
    names = page.locator("#tile-rows button")
    assert [text[-1] for text in names.all_inner_texts()] == ["0", "1", "2"]
    page.locator("[data-confused='2']").click()
    assert [text[-1] for text in names.all_inner_texts()] == ["2", "1"]
    assert page.inner_text("#tiles-found") == "2 of 3 tiles"
    page.locator("#by-confidence").fill("61")
    assert page.inner_text("#tiles-found") == "1 of 3 tiles"
    page.evaluate("document.getElementById('filters').reset(); report.tiles.filter()")
    with page.expect_download() as download:
        page.click("#tiles-csv")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 4 and lines[2].startswith("north,0,1,test,77,77,61,40,5,A sentence. Another.")


def test_the_largest_error_of_a_class_leads_to_its_tiles(page: Any):
    link = page.locator("[data-error]")
    assert link.count() == 1 and link.inner_text().startswith("25.0 % mapped as ")
    link.click()
    assert page.inner_text("#tile-name").endswith("column 1")  # tile 2 has more of these pixels, but no place
    assert page.evaluate("report.viewer.chosen.getLayers().length") == 1
    until(page, "(({ top, bottom }) => top >= 0 && bottom <= innerHeight)(view.getBoundingClientRect())")
    assert page.inner_text("#tiles-found") == "2 of 3 tiles"
    assert page.locator("#tile-rows td:last-child").all_inner_texts() == ["18", "9"]
    page.evaluate("document.getElementById('filters').reset(); report.tiles.filter()")
    page.click("#close")
    page.click("#whole")


def test_marks_are_drawn(page: Any):
    page.select_option("#tiles-shown", "oa")
    page.check("#outlines-shown")
    page.check("#points-shown")
    assert page.evaluate("report.viewer.marks.getLayers().length") == 2 + 2 + 1  # tiles, outline twice, point
    assert "Tiles: accuracy" in page.inner_text("#keys")
    page.select_option("#tiles-shown", "")
    page.uncheck("#outlines-shown")
    page.uncheck("#points-shown")


def test_tables_are_sorted_and_saved(page: Any):
    table = page.locator("#areas table")
    table.locator("button.sort").nth(2).click()
    sizes = [int("".join(text.split())) for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert sizes == sorted(sizes) and table.locator("th[aria-sort=ascending]").count() == 1
    table.locator("button.sort").nth(2).click()
    assert table.locator("th[aria-sort=descending]").count() == 1
    with page.expect_download() as download:
        page.locator("#areas .tools a").click()
    assert download.value.suggested_filename.startswith("vale-areas-")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == 'Class,"Area, ha",Pixels,Share' and len(lines) == 4


def test_the_keyboard_reaches_the_map_and_opens_a_tile(page: Any):
    page.focus("#layer")
    for _ in range(4):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "view"
    before = page.evaluate("report.viewer.map.getZoom()")
    page.keyboard.press("+")
    until(page, f"report.viewer.map.getZoom() > {before}")
    centre = page.evaluate("report.viewer.map.getCenter().lng")
    page.keyboard.press("ArrowRight")
    until(page, f"report.viewer.map.getCenter().lng > {centre}")
    page.keyboard.press("Enter")
    assert page.is_visible("#tile")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "view"
    page.click("#whole")


def test_paper_has_the_pictures_and_no_controls(page: Any):
    page.emulate_media(media="print")
    assert page.is_visible("#map .sheet img") and not page.is_visible(".viewer") and not page.is_visible(".tools")
    page.emulate_media(media="screen")
    assert not page.is_visible("#map .sheet img") and page.is_visible(".viewer")


def test_on_paper_nothing_is_cut(page: Any):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_PX, "height": 1009})
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    cut = """[...document.querySelectorAll("table, img, .card, .note")]
      .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
      .map((each) => each.outerHTML.slice(0, 90))"""
    assert page.evaluate(cut) == []
    style = "(name, key) => [...document.querySelectorAll(name)].map((each) => getComputedStyle(each)[key])"
    assert set(page.evaluate(f"({style})('tr, figure, .scroll, .tile', 'breakInside')")) == {"avoid"}
    assert set(page.evaluate(f"({style})('h2, h3', 'breakAfter')")) == {"avoid"}
    assert set(page.evaluate(f"({style})('thead', 'display')")) == {"table-header-group"}
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = false))")
    page.emulate_media(media="screen")
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_pass(page: Any, scheme: str):
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed")
    page.emulate_media(color_scheme=scheme)
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    page.emulate_media(color_scheme="light")
    assert len(found["passes"]) > 15
    problems = [(rule["id"], [node["html"][:120] for node in rule["nodes"][:3]]) for rule in found["violations"]]
    assert not problems, json.dumps(problems, indent=1)


def test_a_narrow_screen_has_no_sideways_scrolling(page: Any):
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.set_viewport_size({"width": 1280, "height": 900})


@pytest.fixture
def touched(browser: Any, opened: Opened) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(opened.page.url)
    page.wait_for_selector("#view canvas.pixels")
    yield page
    context.close()


def touch(page: Any, paths: list[tuple[tuple[float, float], tuple[float, float]]]) -> None:
    """Move fingers from place to place, all at once."""
    session = page.context.new_cdp_session(page)
    for step in range(6):
        points = [
            {"x": x + (to_x - x) * step / 5, "y": y + (to_y - y) * step / 5, "id": number}
            for number, ((x, y), (to_x, to_y)) in enumerate(paths)
        ]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points})
        page.wait_for_timeout(60)
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(400)


def middle(page: Any, name: str) -> tuple[float, float]:
    page.locator(name).scroll_into_view_if_needed()
    box = page.locator(name).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_fingers_move_and_zoom_the_map(touched: Any):
    x, y = middle(touched, "#view")
    before = touched.evaluate("report.viewer.map.getZoom()")
    touch(touched, [((x - 40, y), (x - 60, y)), ((x + 40, y), (x + 60, y))])
    zoom = touched.evaluate("report.viewer.map.getZoom()")
    assert 1.3 < 2 ** (zoom - before) < 1.8  # 1.5 times as far apart, in steps of a quarter
    place = touched.evaluate("report.viewer.map.getCenter()")
    touch(touched, [((x, y), (x - 60, y))])
    moved = touched.evaluate("report.viewer.map.getCenter()")["lng"] - place["lng"]
    assert moved * 2**zoom >= 55 and not touched.is_visible("#tile")


def test_a_finger_opens_a_tile_and_moves_the_line_between_layers(touched: Any):
    touched.select_option("#compared", "optical")
    x, y = middle(touched, "#swipe")
    touch(touched, [((x, y), (x - 100, y))])
    assert float(touched.evaluate("document.getElementById('swipe').value")) < 40
    touched.select_option("#compared", "")
    touched.touchscreen.tap(*middle(touched, "#view"))
    until(touched, "!document.getElementById('tile').hidden")


def test_without_the_script_the_pictures_are_there(browser: Any, opened: Opened):
    bare = browser.new_context(java_script_enabled=False).new_page()
    bare.goto(opened.page.url)
    assert bare.is_visible("#map .sheet img") and not bare.is_visible(".viewer") and not bare.is_visible("#tile")
    bare.close()


@pytest.mark.parametrize("missing", ["maps", "tiles", "both"])
def test_a_page_without_maps_or_tiles_has_no_errors(
    browser: Any, content: ReportContent, made: Interactive, tmp_path: Path, missing: str
):
    data = dict(made.data)
    if missing != "tiles":
        data["maps"] = []
    if missing != "maps":
        data["tiles"] = {**data["tiles"], "rows": []}
    shown = replace(
        content,
        interactive=Interactive(data, made.pictures),
        maps=content.maps if missing == "tiles" else (),
        tiles=() if missing != "maps" else content.tiles,
        tiles_explained=0 if missing != "maps" else 3,
    )
    path = tmp_path / "report.html"
    path.write_text(render(shown), encoding="utf-8")
    opened = Opened(browser.new_page())
    opened.page.goto(path.as_uri())
    assert opened.page.locator("html.scripted").count() == 1
    opened.page.locator("#areas button.sort").first.click()
    assert opened.messages == []
    said = {"maps": "This region has no map.", "tiles": "No tiles were explained."}
    assert all(text in opened.page.inner_text("main") for key, text in said.items() if missing in (key, "both"))
    opened.page.close()
