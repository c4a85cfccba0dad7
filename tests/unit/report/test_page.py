import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from types import ModuleType

import numpy as np
import pytest

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.artefacts.estimates import AreaEstimates
from clairemap.artefacts.label_counts import LabelCounts
from clairemap.artefacts.metrics import Interval, Intervals
from clairemap.artefacts.simulated_answers import SimulatedAnswers
from clairemap.registration.model import Displacement
from clairemap.registration.result import as_delivered
from clairemap.report.content import ReportContent
from clairemap.report.estimated_areas import estimates_section
from clairemap.report.leakage_texts import split_summary
from clairemap.report.page import render
from clairemap.report.page_data import library_script, library_style
from clairemap.report.scene_inputs import SceneInput
from clairemap.settings import LegendSettings

Rescored = Callable[..., ReportContent]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Outline(HTMLParser):
    """Collects attributes of all elements and checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    assert parsed.open == []
    return parsed


def text_of(html: str) -> str:
    bare = re.sub(r"<style>.*?</style>|<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(bare).split())


def test_nothing_is_fetched(content: ReportContent):
    parsed = outline(render(content))
    assert not {"link", "iframe", "object"} & {tag for tag, _ in parsed.elements}
    for _, attributes in parsed.elements:
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    own = render(content).replace(library_script(), "").replace(library_style(), "")
    assert "http:" not in own and "https:" not in own
    assert "@import" not in render(content) and "url(" not in library_style()
    assert "default-src 'none'" in own  # the browser itself refuses requests


def test_every_picture_has_a_text_and_a_size(content: ReportContent):
    pictures = [attributes for tag, attributes in outline(render(content)).elements if tag == "img"]
    assert len(pictures) >= 10
    assert all(picture["alt"] and picture["width"] and picture["height"] for picture in pictures)


def test_every_link_has_its_target(content: ReportContent):
    elements = outline(render(content)).elements
    targets = {f"#{attributes['id']}" for _, attributes in elements if "id" in attributes}
    assert {attributes["href"] for tag, attributes in elements if tag == "a"} <= targets


def test_texts_are_escaped(content: ReportContent):
    html = render(content)
    assert "Mostly &lt;water&gt;." in html
    assert "<water>" not in html
    assert "<title>Vale &amp; Moor" in html


def test_equal_content_gives_equal_pages(content: ReportContent):
    assert render(content) == render(content)


def test_figures_have_their_meaning(content: ReportContent):
    text = text_of(render(content))
    metrics = content.metrics
    assert metrics.miou is not None
    assert f"{100 * metrics.miou:.1f} % mIoU over 3 classes" in text
    assert "Test tiles: " in text
    assert metrics.definition in text
    assert "Classes averaged: water, forest, grassland. Label codes ignored: 0." in text
    assert "60.0" in text  # hectares of water
    assert "2 of 9 explained tiles are shown. Selection Tiles are selected" in text
    assert "good translation +3.05 −2.10 2 of 3 0.25 1.18 – 2 of 3 ties agree" in text
    assert "nothing to register" in text
    assert "5 km" in text


def test_figures_of_the_finished_map_are_named_with_their_intervals(content: ReportContent):
    intervals = Intervals(
        miou=Interval(low=0.612, high=0.698),
        oa=Interval(low=0.8, high=0.85),
        f1=None,
        iou={},
        blocks=31,
        block_px=512,
        draws=2000,
        reason="no interval for classes in fewer than 30 blocks: Water (3)",
    )
    assert "95 % interval" not in text_of(render(content))
    of_map = content.metrics.model_copy(update={"headline": "map", "intervals": intervals})
    text = text_of(render(replace(content, metrics=of_map)))
    assert "mIoU over 3 classes" in text and "; 95 % interval 61.2 to 69.8 %" in text
    assert "overall accuracy; 95 % interval 80.0 to 85.0 %" in text
    assert "Test tiles on the finished map: " in text
    assert "By class, finished map, test tiles" in text
    assert "No interval for classes in fewer than 30 blocks: Water (3)." in text
    few = intervals.model_copy(update={"miou": None, "oa": None})
    assert "95 % interval" not in text_of(
        render(replace(content, metrics=of_map.model_copy(update={"intervals": few})))
    )


def row_of(content: ReportContent, **changed: object) -> ReportContent:
    """Return the page with its first registration changed."""
    first, *others = content.registrations
    changed_row = replace(first, record=replace(first.record, **changed))  # type: ignore[arg-type]
    return replace(content, registrations=(changed_row, *others))


def test_registration_says_how_it_was_found_and_whether_sar_is_moved(content: ReportContent):
    assert "not moved" not in text_of(render(content)).split("Model")[0]
    wide = row_of(content, search="wide", model=Displacement("similarity", (1.0, 0.1, 0.0), (2.0, 0.0, -0.1)))
    assert "similarity, after a search over rotation and scale +3.05" in text_of(render(wide))
    kept = render(row_of(content, applied=False))
    assert "2 of 3 ties agree (SAR not moved)" in text_of(kept)
    assert "as delivered; SAR is not moved" in kept


def test_only_scenes_with_pictures_of_their_registration_are_pictured(content: ReportContent):
    html = render(content)
    assert html.count("Checkerboards of optical and SAR of scene") == 1
    assert "Checkerboards of optical and SAR of scene north, as delivered and as registered" in html
    bare = tuple(replace(row, vectors=None, checkerboard=None) for row in content.registrations)
    assert '<div class="registered">' not in render(replace(content, registrations=bare))


def test_a_tile_without_a_sensor_or_labels_says_so(content: ReportContent):
    text = text_of(render(content))
    assert "no optical image" in text
    assert "no labels" in text


def test_without_labels_the_page_says_so(without_labels: ReportContent):
    text = text_of(render(without_labels))
    assert "No labels accuracy is unknown: no labelled pixels" in text
    assert "There are no accuracy figures" in text
    assert "mIoU" not in text


def test_figures_of_training_tiles_carry_a_warning(content: ReportContent):
    trained = content.metrics.model_copy(update={"split": "train"})
    assert "Expect lower accuracy elsewhere" in text_of(render(replace(content, metrics=trained)))
    assert "Expect lower accuracy elsewhere" not in text_of(render(content))


def test_the_split_has_its_figures(content: ReportContent):
    text = text_of(render(content))
    assert "1 200 labelled tiles were used for training; 3 more are in the buffer" in text
    assert "Test 2 256 0.00 0 " in text
    assert "halo is 256 px" in text
    assert "no coordinate reference system: south." in text
    assert "These figures overestimate the accuracy." not in text
    assert "Calibrated with T = 1.3." in text


def test_leakage_is_reported_at_the_top_and_at_the_split(content: ReportContent):
    random = replace(content.split.audit, method="random")
    html = render(replace(content, split=split_summary(random, 256, "test")))
    head, _, body = html.partition("</header>")
    assert "These figures overestimate the accuracy." in head and "up to 28 %" in head
    assert "up to 28 %" in body
    validated = render(replace(content, split=split_summary(random, 256, "predict")))
    assert "overestimate the accuracy." not in validated.partition("</header>")[0]


def test_without_held_out_tiles_the_page_says_so(content: ReportContent):
    bare = replace(content.split.audit, held_out={})
    assert "No labelled tiles were held out" in text_of(render(replace(content, split=split_summary(bare, 256, None))))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"confusion": None}, "The metrics have no confusion matrix."),
        ({"training": None}, "No training steps are recorded."),
        ({"registrations": ()}, "No registration is recorded."),
        ({"tiles": (), "tiles_explained": 0}, "No tiles were explained."),
        ({"tiles": ()}, "report.max_tiles is 0"),
        ({"maps": ()}, "This region has no map."),
        ({"calibration": ""}, "How it was made"),
    ],
)
def test_missing_content_is_reported(content: ReportContent, missing: dict[str, object], said: str):
    assert said in text_of(render(replace(content, **missing)))  # type: ignore[arg-type]


def test_a_pair_taken_as_delivered_says_so_and_shows_no_figures(content: ReportContent):
    row = content.registrations[0]
    fit = as_delivered()
    record = replace(row.record, verdict=fit.verdict, reason=fit.reason, applied=False, ties=())
    said = text_of(render(replace(content, registrations=(replace(row, record=record),))))
    assert "north as delivered nothing estimated taken as delivered" in " ".join(said.split())
    assert "SAR not moved" not in said and "nothing to register" not in said


def test_several_maps_are_headed_by_their_names(content: ReportContent):
    (part,) = content.maps[0].sections
    barless = replace(part, bar_text=None, north_deg=None)
    maps = (replace(content.maps[0], name="north"), replace(content.maps[0], name="south", sections=(barless,)))
    html = render(replace(content, maps=maps))
    assert "<h3>north</h3>" in html
    assert "<h3>south</h3>" in html
    assert html.count('class="bartext"') == 1


def test_every_map_has_its_file_and_meaning(content: ReportContent):
    text = text_of(render(content))
    for name, said in (
        ("landcover", "the most probable class, 100 pixels wide and 50 high"),
        ("confidence", "the probability of the mapped class"),
        ("optical_share", "the weight of the optical image"),
        ("source_count", "the number of scenes used at the pixel"),
    ):
        assert f"( vale.{name}.tif ): {said}" in text
    assert "1 scene 2 scenes 3 scenes 4 scenes or more" in text


def test_a_check_is_mentioned_only_if_there_was_one(content: ReportContent):
    text = text_of(render(content))
    assert "passed the rule check_maps of clairemap 1.2.0 (def): valid Cloud-Optimized" in text
    assert "These files have no recorded check." not in text
    unchecked = text_of(render(replace(content, checked_by=())))
    assert "These files have no recorded check." in unchecked
    assert "check_maps" not in unchecked and "passed" not in unchecked.partition("Areas Class")[0]
    assert "recorded check" not in text_of(render(replace(content, maps=(), checked_by=())))


def test_shares_are_exact_within_a_scene_only(content: ReportContent):
    text = text_of(render(content))
    assert "Where a scene has only one usable sensor, for example under cloud, the share is exactly 0 or 100 %" in text
    assert "Where scenes overlap or were resampled to the map's grid, shares are averaged" in text


def test_calibration_errors_have_one_format(content: ReportContent):
    calibrated = content.metrics.model_copy(update={"ece": 0.00734})
    text = text_of(render(replace(content, metrics=calibrated)))
    assert "Expected calibration error: 0.73 %" in text and "the expected calibration error below measures" in text
    unknown = content.metrics.model_copy(update={"ece": None})
    assert "calibration error" not in text_of(render(replace(content, metrics=unknown))).lower()


def test_the_stamp_is_on_the_page(content: ReportContent):
    assert "version 1.2.3 · commit abc · stage render report" in text_of(render(content)).replace("_", " ")


def test_a_part_of_a_map_has_heading_and_location(content: ReportContent):
    (part,) = content.maps[0].sections
    panel = replace(content.maps[0], sections=(part, part), sections_in_map=3, key=part.landcover)
    text = text_of(render(replace(content, maps=(panel,))))
    assert "The map is 100 pixels wide and 50 high. The 2 largest of 3 sections with data are shown." in text
    assert "Part 1" in text and "Part 2" in text
    assert text.count("the most probable class, rows 0 to 49.") == 2
    assert "far apart" not in text
    advised = text_of(render(replace(content, maps=(replace(panel, far_apart=True),))))
    assert "The scenes of this map are far apart" in advised and "separate regions" in advised


def test_north_is_an_arrow_where_it_is_not_up(content: ReportContent):
    html = render(content)
    assert html.count("arrow to the north") == 1 and "rotate(-2.5deg)" in html
    (part,) = content.maps[0].sections
    up = replace(content.maps[0], sections=(replace(part, north_deg=None),))
    assert "arrow to the north" not in render(replace(content, maps=(up,)))


def head_of(content: ReportContent) -> str:
    return text_of(render(content).partition("</header>")[0])


def test_cautions_are_at_the_top(content: ReportContent):
    assert "Before you use this map" not in head_of(content)
    cautions = tuple(f"Caution {number}." for number in range(8))
    warned = replace(content, metrics=content.metrics.model_copy(update={"cautions": cautions}))
    assert "Before you use this map Caution 0. " in head_of(warned)
    assert "Caution 5. 2 more are listed under cautions in metrics.json ." in head_of(warned)


def test_classes_with_few_labelled_pixels_are_marked_and_have_no_figures(content: ReportContent):
    text = text_of(render(content))
    assert "mIoU over 3 classes, 2 of them with fewer than 100 labelled pixels (72.7 % without)" in text
    assert "water † – – – – 60 55 forest 72.7 84.2 – 80.0 100 90" in text
    assert "† Fewer than 100 labelled pixels" in text


def test_too_few_labels_give_no_accuracy(rescored: Rescored):
    few = rescored(np.diag([5, 6, 0]))
    assert "Too few labels accuracy is unknown: 11 labelled pixels evaluated, fewer than 100" in head_of(few)
    assert "mIoU" not in head_of(few) and "overall accuracy" not in head_of(few)
    assert "test 11 labelled pixels: fewer than 100, too few for an accuracy" in text_of(render(few))


def test_views_are_listed_by_scene_for_the_same_pixels(rescored: Rescored):
    text = text_of(render(rescored(scenes=("north", "south"), views=("fused", "optical", "sar"))))
    assert "Scene north both sensors 72.7 85.0 200 2 optical only 72.7" in text
    assert "use the same pixels: the labelled pixels of these scenes where both sensors are valid" in text
    assert "mIoU averages the classes with at least 100 of these pixels" in text


def test_scenes_without_a_cloud_mask_are_named(content: ReportContent):
    assert "No cloud mask" not in text_of(render(content))
    assert "No cloud mask covers all or part of the optical image of north" in text_of(
        render(replace(content, unmasked=("north",)))
    )


def test_the_training_pixels_of_each_class_are_beside_its_accuracy(rescored: Rescored):
    page = rescored(training_px=(9000, 0, 7000))
    text = text_of(render(page))
    assert "Pixels in map Training pixels water" in text
    assert re.search(r"forest 72\.7 .{10,40} 0 grassland", text)
    assert "The training data had no pixels of the class forest" in head_of(page)


def test_labels_of_a_product_and_polygons_are_shown(content: ReportContent):
    plain = text_of(render(content))
    assert "% overall accuracy" in plain and "ground truth" not in plain and "Polygons burnt" not in plain
    product = content.metrics.model_copy(update={"labels_product": "ESA <WorldCover>"})
    counts = LabelCounts(
        scene="north", file="fields.gpkg", layer="fields", field="kind", crs="EPSG:4326", reprojected=True,
        features=990, outside=400, burnt=500, no_value=11, ignored=22, not_polygons=3, unusable=4, repaired=5,
        without_pixel=6, values=(), class_px={1: 700, 2: 88}, overlap_px=20, unlabelled_px=120, pixels_sha256="ab",
        stamp={},
    )  # fmt: skip
    html = render(replace(content, metrics=product, polygons=(counts,)))
    outline(html)
    text = text_of(html)
    assert "overall agreement with the product ESA <WorldCover>" in text
    assert "all figures are agreement with this product" in text
    row = text[text.index("fields.gpkg, column kind") :]
    assert re.findall(r"\d+", row)[:9] == ["990", "500", "400", "33", "7", "5", "6", "788", "20"]


def test_a_model_from_another_project_is_named_at_the_top(content: ReportContent):
    unknown = Leakage(distance_px=None, overlapping_share=None, copied_tiles=None, copies=())
    audit = SplitAudit("given", {"train": 0, "val": 0, "test": 2, "buffer": 0}, {"test": unknown}, (), ("west",))
    split = split_summary(audit, 256, "test")
    page = text_of(render(replace(content, given_model="The model is from elsewhere.", training=None, split=split)))
    top, below = page.split("The map", 1)
    assert "These figures may overestimate the accuracy." in top
    assert "The model is from elsewhere." in top and "It is not known where the model was trained" in top
    assert "The model is from elsewhere." in below and "No training steps are recorded" not in below
    assert "0 labelled tiles were used for" not in below and "Scenes with audited test tiles: west." in below


def with_estimates(content: ReportContent, estimates: AreaEstimates) -> ReportContent:
    """Return the page with estimates."""
    return replace(content, estimates=estimates_section(estimates))


def test_the_first_screen_has_the_estimates(content: ReportContent, made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    rows = made("water", 60, 6, 75), made("forest", 4321, 300, 4300), made("grassland", 9, 8, 9, too_few=True)
    estimates = made_artefacts.area_estimates(*rows, answered=396, cautions=("4 units have no <reference> class.",))
    html = render(with_estimates(content, estimates))
    outline(html)
    head = text_of(html.partition("</header>")[0])
    assert "Areas and accuracy from a random sample The pixel count is misleading for 1 of 3 classes, outside" in head
    assert "Overall accuracy 91.2 % (95 % interval 88.2 to 94.2 %), from 396 answered of 400 sample units." in head
    assert "Before you use these figures 4 units have no <reference> class." in head
    assert "water 75.0 9.0 ha above 60.0 54.0 to 66.0 90.0 85.0 to 95.0" in head
    assert "forest 4 300 within interval 4 321 4 021 to 4 621" in head
    assert "grassland † 9.0" in head and "† Too few units" in head
    assert "True area" not in head and "simulated" not in head
    assert "make sample" not in html
    assert "estimates.json have all figures" in head
    assert "91.2 % overall accuracy estimated from a random sample; 95 % interval 88.2 to 94.2 %" in head
    assert "From the labels of the scenes, which are not a random sample:" in head


def test_every_plot_of_an_area_has_a_text(content: ReportContent, made_artefacts: ModuleType):
    made = made_artefacts.class_estimates
    rows = made("water", 60, 6, 75), made("forest", 0, 0, 0), made("grassland", 9, 8, 9)
    html = render(with_estimates(content, made_artefacts.area_estimates(*rows)))
    plots = [
        attributes for tag, attributes in outline(html).elements if tag == "svg" and attributes.get("width") == "242"
    ]
    assert [plot["role"] for plot in plots] == ["img"] * 2
    assert plots[0]["aria-label"] == (
        "water: estimated 60.0 ha, 95 % interval 54.0 to 66.0 ha, pixel count 75.0 ha, outside the interval"
    )
    assert "† Too few units" not in html


def test_true_areas_and_simulated_answers_are_on_the_page_of_the_demo(
    content: ReportContent, made_artefacts: ModuleType
):
    rows = [made_artefacts.class_estimates(name, 60, 6, 60) for name in content.legend.names]
    true_ha = dict.fromkeys(content.legend.names, 61.0)
    simulated = SimulatedAnswers(units=400, wrong=12, area_ha=true_ha, stamp={})
    section = estimates_section(made_artefacts.area_estimates(*rows), simulated)
    text = text_of(render(replace(content, estimates=section)))
    assert "its answers are simulated from the known truth of the region, 12 of 400 of them wrong on purpose" in text
    assert "True area, ha" in text and "54.0 to 66.0 61.0" in text


@pytest.mark.parametrize("classes", [2, 64])
def test_estimates_of_few_and_many_classes(rescored: Rescored, made_artefacts: ModuleType, classes: int):
    legend = LegendSettings(
        classes=[{"code": code, "name": f"c{code} <b>", "color": "#102030"} for code in range(1, classes + 1)]
    )
    rows = [made_artefacts.class_estimates(name, 60, 6, 75) for name in legend.names]
    page = replace(rescored(np.eye(classes, dtype=np.int64), legend=legend), legend=legend)
    html = render(with_estimates(page, made_artefacts.area_estimates(*rows)))
    outline(html)
    assert html.count("c1 &lt;b&gt;") >= 2 and "<b>:" not in html
    assert html.count('role="img" aria-label="c') == classes
    assert f"misleading for {classes} of {classes} classes" in html


def test_without_a_sample_the_page_says_how_to_draw_one(content: ReportContent):
    text = text_of(render(replace(content, can_be_sampled=True)))
    assert "Areas are pixel counts, biased by the map's errors." in text
    assert 'make sample ARGS="--configfile my.yaml" ( docs/areas.md )' in text
    assert "make sample" not in render(content)
    assert "random sample" not in render(content)


@pytest.mark.parametrize(
    ("files", "kinds"),
    [(("o.tif", "s.tif"), "optical and SAR"), (("o.tif", ""), "optical"), (("", "s.tif"), "SAR")],
)
def test_the_page_names_only_sensors_that_the_region_has(content: ReportContent, files: tuple[str, str], kinds: str):
    row = SceneInput("north", *files, "", "", "9 px", 4, 3)
    assert f"mapped from {kinds} scenes" in head_of(replace(content, inputs=(row,)))


def test_the_page_says_why_the_sensors_were_not_compared(content: ReportContent):
    metrics = content.metrics.model_copy(update={"views": {}})
    alone = replace(row_of(content, verdict="single_sensor"), metrics=metrics)
    assert "The sensors were not compared: each test scene with labels has one sensor only." in text_of(render(alone))
