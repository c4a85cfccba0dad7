import base64
from pathlib import Path

import numpy as np
import pytest

from clairemap.artefacts.radiometry_check import SensorVerdict
from clairemap.artefacts.tiles import TileId
from clairemap.metrics.calibration import Calibration
from clairemap.report import plots
from clairemap.report.content import Picture, ReportContent
from clairemap.report.figures import reliability_figure


def svg(picture: Picture | None) -> str:
    assert picture is not None
    return base64.b64decode(picture.source.partition(",")[2]).decode()


def test_reliability_has_a_point_for_each_filled_interval():
    px = np.array([0] * 5 + [10] * 10)
    drawn = svg(reliability_figure(Calibration(px, px // 2, px * 0.7)))
    assert "confidence, %" in drawn and "share of the pixels, %" in drawn


def test_only_tiles_of_the_figures_count(content: ReportContent, monkeypatch: pytest.MonkeyPatch):
    class Tile:
        id = TileId("north", 0, 0)
        counts = type("Counts", (), {"calibration": Calibration(*(np.ones(15, np.int64),) * 2, np.ones(15))})

    monkeypatch.setattr(plots, "read_tallies", lambda *_: [Tile])
    paths = [Path("scores.parquet")]
    assert plots.reliability_plot(paths, {}, content.metrics) is None  # split predict
    assert plots.reliability_plot(paths, {Tile.id: "test"}, content.metrics) is not None
    assert plots.reliability_plot([], {}, content.metrics) is None


def test_radiometry_has_a_line_for_each_compared_sensor(content: ReportContent):
    assert plots.radiometry_plot(content.metrics) is None
    compared = SensorVerdict(
        verdict="mild", reason="", bands=("red", "nir"), distance_std=(0.5, 1.5), beyond_share=(0.0, 0.1)
    )
    missing = SensorVerdict(verdict="not compared", reason="no pixels")
    radiometry = {"west": {"optical": compared, "sar": missing}}
    drawn = svg(plots.radiometry_plot(content.metrics.model_copy(update={"radiometry": radiometry})))
    assert "west, optical" in drawn and "west, SAR" not in drawn and "nir" in drawn
