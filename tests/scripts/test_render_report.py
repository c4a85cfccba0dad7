"""The whole stage on one small synthetic scene."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image, PngImagePlugin

from clairemap.artefacts.audit import Leakage, SplitAudit, write_audit
from clairemap.artefacts.estimates import write_estimates
from clairemap.artefacts.explanations import ClassFacts, ExplainedTile, TileFacts, write_explanations
from clairemap.artefacts.history import HistoryStep, write_history
from clairemap.artefacts.map_check import MapCheck, MapFacts, RegionMaps, write_map_check
from clairemap.artefacts.metrics import write_metrics
from clairemap.artefacts.model_card import write_model_card
from clairemap.artefacts.registration import (
    DisplacementModel,
    JudgedTie,
    MeanDisplacement,
    Quality,
    Registration,
    write_registration,
)
from clairemap.artefacts.simulated_answers import SimulatedAnswers, write_simulated_answers
from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics, write_statistics
from clairemap.artefacts.summary import Summary, read_summary
from clairemap.artefacts.tiles import TileRow, write_tile_index
from clairemap.errors import SettingsError, StoreError, UnreadableFileError
from clairemap.explain.outline import Outline, Sentence
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally
from clairemap.outputs import SceneFolder
from clairemap.raster.store import Layer, complete_store, create_store
from clairemap.settings import load_settings
from clairemap.stages import RenderReport, SummarizeRegion, stage_json

SETTINGS = load_settings({"report": {"title": "A made vale", "max_tiles": 2}})
LEGEND = SETTINGS.legend
GRID = GeoBox((128, 256), Affine(10, 0, 700_000, 0, -10, 5_300_000), "EPSG:32632")
VALUES = {"landcover": 2, "confidence": 77, "optical_share": 40, "source_count": 1}
REGISTRATION = Registration(
    scene="north",
    verdict="weak",
    reason="few ties",
    search="near",
    applied=True,
    displacement_px=MeanDisplacement(-1.25, 3.5),
    model=DisplacementModel("translation", (-1.25,), (3.5,)),
    quality=Quality(ties=1, inliers=1, inlier_share=1.0, rmse_px=0.4, coverage=0.1),
    optical_res_m=10.0,
    ties=(JudgedTie(20.0, 30.0, -1.25, 3.5, 0.7, residual_px=0.0, inlier=True),),
)


@dataclass(frozen=True)
class FakeRegion:
    """Return a folder with all inputs of the stage."""

    folder: Path

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the stage's function."""
        at = self.folder
        return {
            "region": "vale",
            "maps": [at / "vale"],
            "scene": [at / "north"],
            "model": at / "model",
            "metrics": at / "metrics.json",
            "report": at / "out" / "report.html",
            "project": at / "out" / "vale.qgs",
            "settings": stage_json(SETTINGS, RenderReport),
        }


def write_maps(folder: Path) -> None:
    for name, value in VALUES.items():
        profile = {"driver": "GTiff", "height": 128, "width": 256, "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(
            folder / f"vale.{name}.tif", "w", crs="EPSG:32632", transform=GRID.transform, **profile
        ) as raster:
            raster.write(np.full((128, 256), value, np.uint8), 1)
    stamp = {"clairemap_version": "9.8.7", "clairemap_commit": "fed"}
    maps = RegionMaps(**{name: MapFacts(0, {value: 128 * 256}) for name, value in VALUES.items()})
    write_map_check(folder / "vale.check.json", MapCheck(stamp, 128, 256, maps))


def write_stores(folder: Path) -> None:
    layers = [
        Layer("optical", "uint16", SETTINGS.sensors.optical.names, fill=500),
        Layer("sar", "float32", SETTINGS.sensors.sar.names, fill=-12),
        Layer("label", "uint8", fill=1),
        Layer("validity", "uint8"),
    ]
    mapped = [Layer("probability", "uint8", LEGEND.names, fill=100)]
    scene = SceneFolder(folder / "north")
    scene.probabilities.parent.mkdir(parents=True)
    of_pair = {
        "scene": "north", "sar_scale": "db", "registration": "weak", "georeferenced": True,
        "sources": {"optical": "o.tif", "sar": "s.tif"},
    }  # fmt: skip
    for store, content, attributes in (
        (scene.pair, layers, of_pair),
        (scene.probabilities, mapped, {"scene": "north"}),
    ):
        part = store.with_suffix(".part")
        create_store(part, GRID, content, tile_px=128, shard_tiles=1, attributes=attributes)
        complete_store(part, store)


def write_records(folder: Path) -> None:
    counts = Tally(np.eye(len(LEGEND), dtype=np.int64) * 100, Calibration.empty(), 0, 2)
    areas = ClassAreas(np.full(len(LEGEND), 9), np.full(len(LEGEND), 900.0), "computed in the map projection")
    document = region_metrics("vale", {("north", "test"): counts}, {}, areas, LEGEND, {})
    write_metrics(folder / "metrics.json", document)
    write_registration(folder / "north" / "registration.json", REGISTRATION, {})
    text = PngImagePlugin.PngInfo()
    text.add_text("scene", "north")
    Image.new("P", (40, 20)).save(folder / "north" / "registration.png", pnginfo=text)
    optical, sar = SETTINGS.sensors.optical.names, SETTINGS.sensors.sar.names
    statistics = TrainingStatistics(
        BandStatistics(optical, (500.0,) * 4, (200.0,) * 4, (0.0,) * 4, (1000.0,) * 4),
        BandStatistics(sar, (-10.0, -15.0), (4.0, 4.0), (-20.0, -25.0), (0.0, -5.0)),
        (9,) * len(LEGEND), 100, ("north",), "db",
    )  # fmt: skip
    write_statistics(folder / "model" / "statistics.json", statistics)
    test = Leakage(distance_px=7, overlapping_share=0.25, copied_tiles=0, copies=())
    audit = SplitAudit("scene", {"train": 5, "val": 0, "test": 2, "buffer": 0}, {"test": test}, ())
    write_audit(folder / "model" / "audits" / "vale.json", audit)
    write_history(folder / "model" / "history.csv", [HistoryStep(1, 0.5, 0.0, 1.0, 0.5, 0.5, 0.001, 1.0, 0.5, 0.6)])


def write_tiles(folder: Path) -> None:
    px = 128 * 128
    rows = [
        TileRow("north", 0, col, 0, 128 * col, 128, 128, px, px, px, 0, 0, px, (0, px, 0, 0, 0, 0, 0)) for col in (0, 1)
    ]
    write_tile_index(folder / "north" / "tiles.parquet", rows, {})
    facts = TileFacts(
        classes=(ClassFacts(name="water", area_pct=100.0, mapped_px=100, confidence_pct=70),),
        confidence_pct=70,
        sensor="both",
        optical_share_pct=50,
        cloud_pct=0,
        mapped_pct=100,
        mapped_px=100,
        registration="weak",
    )
    tiles = (
        ExplainedTile(scene="north", row=0, col=col, facts=facts, text=f"Tile {col}.", source="template")
        for col in (0, 1)
    )
    write_explanations(folder / "north" / "explanations.jsonl", tiles)


@pytest.fixture
def region(tmp_path: Path, made_artefacts: ModuleType) -> FakeRegion:
    (tmp_path / "model").mkdir()
    write_model_card(tmp_path / "model" / "model.json", made_artefacts.model_card((5,) * len(LEGEND)))
    for write in (write_maps, write_stores, write_records, write_tiles):
        write(tmp_path)
    return FakeRegion(tmp_path)


def test_one_page_with_everything_in_it(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    stage("render_report")(**region.arguments)
    html = " ".join((region.folder / "out" / "report.html").read_text(encoding="utf-8").split())
    for text in (
        "A made vale",
        "100.0 %",
        "Tile 0.",
        "Tile 1.",
        "+3.50",
        "few ties",
        "network.size: tiny",
        "25.00 % of the area of the test",
        "vale.source_count.tif",
        "256 × 128 px of 10 m, EPSG:32632",
        "clairemap 9.8.7 (fed): valid Cloud-Optimized GeoTIFFs",
    ):
        assert text in html, text
    assert html.count('src="data:image/') == 4 + 1 + 2 + 1 + 2 * 5  # maps, confusion, registration, training, tiles
    assert html.count(">data:image/webp") == 2  # optical and SAR on the interactive map
    assert [path.name for path in sorted((region.folder / "out").iterdir())] == ["report.html", "vale.qgs"]


class LastWordings:
    """Replaces the model: the last wording of what must be said."""

    def __init__(self, model: str, settings: object, device: str) -> None:  # noqa: ARG002
        self.identity = model

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        for place, outline in enumerate(outlines):
            yield place, [Sentence(topic, topic.wordings[-1]) for topic in outline.topics if topic.required]


def test_the_summary_of_a_language_model_is_on_the_page(
    stage: Callable[[str], Callable[..., Any]], region: FakeRegion, monkeypatch: pytest.MonkeyPatch
):
    summarize = stage("summarize_region")
    monkeypatch.setitem(summarize.__globals__, "LanguageModel", LastWordings)

    def summarized(model: str | None) -> Summary:
        settings = stage_json(load_settings({"explain": {"model": model}}), SummarizeRegion)
        paths = [region.folder / "north" / "explanations.jsonl"]
        target = region.folder / "summary.json"
        summarize(region.folder / "metrics.json", paths, target, region.folder / "cache", settings, "cpu")
        return read_summary(target)

    summary = summarized("some/model")
    assert summary.stamp["clairemap_stage"] == "summarize_region"
    assert summary.source == "model" and "of the labelled pixels: it was compared with" in summary.text
    stage("render_report")(**region.arguments, summary=region.folder / "summary.json")
    html = (region.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert summary.text in html and "A language model chose" in html
    with pytest.raises(SettingsError, match=r"explain\.model is null"):
        summarized(None)
    write_explanations(region.folder / "north" / "explanations.jsonl", ())
    assert summarized("some/model").sentences == ()


def test_a_sample_that_is_missing_is_logged(
    stage: Callable[[str], Callable[..., Any]], region: FakeRegion, caplog: pytest.LogCaptureFixture
):
    stage("render_report")(**region.arguments, sample=region.folder / "vale.sample.gpkg")
    assert "vale.sample.gpkg is missing: the QGIS project has no layer of the sample" in caplog.text
    assert "vale.sample" not in (region.folder / "out" / "vale.qgs").read_text(encoding="utf-8")


def test_without_a_check_the_page_claims_none(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    (region.folder / "vale.check.json").unlink()
    stage("render_report")(**region.arguments)
    html = (region.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "These files have no recorded check." in html and "check_maps" not in html


def test_equal_inputs_give_an_equal_page(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    report = region.folder / "out" / "report.html"
    stage("render_report")(**region.arguments)
    first = report.read_bytes()
    stage("render_report")(**region.arguments)
    assert report.read_bytes() == first


def test_a_map_alone_gives_a_page(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    (region.folder / "north" / "explanations.jsonl").write_text("")
    write_history(region.folder / "model" / "history.csv", [])
    stage("render_report")(**{**region.arguments, "scene": None})
    html = (region.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "No tiles were explained." in html
    assert "No training steps are recorded." in html


def test_an_explained_tile_without_a_store_is_an_error(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    explanations = region.folder / "north" / "explanations.jsonl"
    explanations.write_text(explanations.read_text().replace('"north"', '"south"'))
    with pytest.raises(StoreError, match="scene south"):
        stage("render_report")(**region.arguments)
    assert not (region.folder / "out").exists()


def test_a_picture_of_an_earlier_run_is_not_shown(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    """A picture exists from an earlier run, when the scene had both sensors."""
    one_sensor = replace(REGISTRATION, verdict="single_sensor", ties=())
    write_registration(region.folder / "north" / "registration.json", one_sensor, {})
    stage("render_report")(**region.arguments)
    html = (region.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert html.count('src="data:image/') == 4 + 1 + 1 + 2 * 5  # maps, confusion, training, tiles


def test_a_missing_picture_is_an_error(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    (region.folder / "north" / "registration.png").unlink()
    with pytest.raises(UnreadableFileError, match=r"north/registration\.png"):
        stage("render_report")(**region.arguments)


def test_estimates_are_on_the_page_if_there_are_any(
    stage: Callable[[str], Callable[..., Any]], region: FakeRegion, made_artefacts: ModuleType
):
    report, folder = region.folder / "out" / "report.html", region.folder
    stage("render_report")(**region.arguments)
    assert "make sample" in report.read_text(encoding="utf-8")
    rows = [made_artefacts.class_estimates(name, 60, 6, 75) for name in LEGEND.names]
    write_estimates(folder / "estimates.json", folder / "estimates.csv", made_artefacts.area_estimates(*rows))
    stage("render_report")(**region.arguments, estimates=folder / "estimates.json")
    html = report.read_text(encoding="utf-8")
    assert "The pixel count is misleading for 7 of 7 classes" in html
    assert "make sample" not in html and "True area" not in html
    simulated = SimulatedAnswers(units=400, wrong=12, area_ha=dict.fromkeys(LEGEND.names, 61.0), stamp={})
    write_simulated_answers(folder / "truth.json", simulated)
    stage("render_report")(**region.arguments, estimates=folder / "estimates.json", truth=folder / "truth.json")
    assert "12 of 400 of them wrong on purpose" in " ".join(report.read_text(encoding="utf-8").split())


def test_damaged_estimates_are_an_error(stage: Callable[[str], Callable[..., Any]], region: FakeRegion):
    (region.folder / "estimates.json").write_text("{}")
    with pytest.raises(StoreError, match=r"estimates\.json: not a valid file of estimates"):
        stage("render_report")(**region.arguments, estimates=region.folder / "estimates.json")
