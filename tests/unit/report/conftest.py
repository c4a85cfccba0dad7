"""A page's content made by code: three classes, two scenes, one of them without labels."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.artefacts.explanations import ClassFacts, ExplainedTile, TileFacts
from clairemap.artefacts.metrics import RegionMetrics
from clairemap.artefacts.registration import JudgedTie, MeanDisplacement, Quality, Registration
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.class_areas import ClassAreas
from clairemap.metrics.region_metrics import region_metrics
from clairemap.metrics.tally import Tally
from clairemap.registration.model import Displacement
from clairemap.report.content import (
    Fact,
    MapPanel,
    MapSection,
    Picture,
    RegistrationRow,
    ReportContent,
    TileCard,
    TilePictures,
    TrainingSummary,
)
from clairemap.report.leakage_texts import split_summary
from clairemap.settings import DEMO_CLASSES, LegendSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3], ignore=(0,))
CONFUSION = np.array([[50, 10, 0], [5, 80, 15], [0, 0, 40]])
PICTURE = Picture("data:image/png;base64,AAAA", 20, 10)
PART = MapSection(PICTURE, PICTURE, PICTURE, PICTURE, "rows 0 to 49", "5 km", 21.5, 80.0, -2.5)
AUDIT = SplitAudit(
    method="block",
    tiles={"train": 1200, "val": 0, "test": 2, "buffer": 3},
    held_out={"test": Leakage(distance_px=256, overlapping_share=0.0, copied_tiles=0, copies=())},
    not_compared=("south",),
)
STAMP = {"clairemap_version": "1.2.3", "clairemap_commit": "abc", "clairemap_stage": "render_report"}


def metrics_of(
    confusion: np.ndarray,
    scenes: tuple[str, ...] = ("north",),
    views: tuple[str, ...] = ("fused",),
    training_px: tuple[int, ...] = (),
    legend: LegendSettings = LEGEND,
) -> RegionMetrics:
    counts = Tally(confusion, Calibration.empty(), unmapped_px=0, tiles=2)
    px = np.resize([60, 90, 55], len(legend.classes))
    areas = ClassAreas(px, px * 1e4, "in the plane of the projection")
    sums = {(scene, "test"): counts for scene in scenes}
    by_view = {(scene, view): counts for scene in scenes for view in views}
    return region_metrics("vale", sums, by_view, areas, legend, STAMP, training_px)


def explained(scene: str, row: int, text: str, oa_pct: int | None) -> ExplainedTile:
    facts = TileFacts(
        classes=(
            ClassFacts(name="water", area_pct=70.0, mapped_px=70, confidence_pct=85),
            ClassFacts(name="forest", area_pct=30.0, mapped_px=30, confidence_pct=75),
        ),
        confidence_pct=81,
        sensor="both",
        optical_share_pct=40,
        cloud_pct=7,
        mapped_pct=100,
        mapped_px=100,
        registration="good",
        oa_pct=oa_pct,
    )
    return ExplainedTile(scene=scene, row=row, col=3, facts=facts, text=text, source="template", key="k")


@pytest.fixture(scope="session")
def record() -> Registration:
    """Return a registration with three ties, one of which does not agree."""
    ties = (
        JudgedTie(10, 10, -2.0, 3.0, 0.9, residual_px=0.11, inlier=True),
        JudgedTie(90, 40, -2.2, 3.1, 0.8, residual_px=0.11, inlier=True),
        JudgedTie(50, 80, 9.0, -7.0, 0.2, residual_px=14.9, inlier=False),
    )
    return Registration(
        scene="north",
        verdict="good",
        reason="2 of 3 ties agree",
        search="near",
        model=Displacement.translation(-2.1, 3.05),
        displacement_px=MeanDisplacement(-2.1, 3.05),
        applied=True,
        quality=Quality(3, 2, 0.667, 0.25, 1.18, None, 0.5, 1e-6),
        ties=ties,
        optical_res_m=10.0,
    )


@pytest.fixture(scope="session")
def content(record: Registration) -> ReportContent:
    """Return the content of a page with everything on it."""
    alone = replace(
        record,
        scene="south",
        verdict="single_sensor",
        reason="no SAR",
        ties=(),
        applied=False,
    )
    pictures = TilePictures(PICTURE, PICTURE, PICTURE, PICTURE)
    return ReportContent(
        title="Vale & Moor",
        region="vale",
        legend=LEGEND,
        metrics=metrics_of(CONFUSION),
        maps=(MapPanel("vale", "100 pixels wide and 50 high", (PART,)),),
        checked_by=("clairemap 1.2.0 (def)",),
        confusion=PICTURE,
        training=TrainingSummary(PICTURE, steps=600, minutes=4.5, best_step=550),
        registrations=(RegistrationRow(record, PICTURE, PICTURE), RegistrationRow(alone, None, None)),
        tiles=(
            TileCard(explained("north", 0, "Mostly <water>.", 92), "lowest accuracy", pictures),
            TileCard(
                explained("south", 1, "Nothing seen.", None), "most varied", replace(pictures, optical=None, truth=None)
            ),
        ),
        tiles_explained=9,
        provenance=(Fact("Network", "size tiny"),),
        calibration="Calibrated with T = 1.3.",
        split=split_summary(AUDIT, 256, "test"),
        stamp=STAMP,
    )


@pytest.fixture
def rescored(content: ReportContent) -> Callable[..., ReportContent]:
    """Return a function that gives the page with other metrics, made from the arguments of `metrics_of`."""
    return lambda confusion=CONFUSION, **changed: replace(content, metrics=metrics_of(confusion, **changed))


@pytest.fixture
def without_labels(content: ReportContent) -> ReportContent:
    """Return the same page for a region without any label."""
    return replace(content, metrics=metrics_of(np.zeros((3, 3), np.int64)), confusion=None)
