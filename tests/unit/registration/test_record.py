import dataclasses
import json
from pathlib import Path

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.registration import Quality, Tie, read_registration, write_registration
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.record import displacement_of, registration_of
from clairemap.registration.result import Fit, single_sensor

UTM = GeoBox((100, 100), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
FIT = Fit(
    "good",
    "7 of 8 tie points are inliers",
    Displacement.translation(dy_px=-0.75, dx_px=1.5),
    Quality(8, 7, 0.875, 0.4, 0.5, 0.1, 1.0, 1e-9),
    (Tie(10.5, 20.0, -0.8, 1.4, 5.5), Tie(30.0, 40.0, 9.0, 1.0, 0.75)),
    (0.112, 9.763),
    (True, False),
)
FRAME = ((49.5, 49.5), 50.0)
MODELS = (
    FIT.model,
    Displacement("similarity", (3.0, -0.25, 0.125), (1.0, 0.125, 0.25), *FRAME),
    Displacement("affine", (3.0, 0.1, 0.2), (1.0, 0.3, 0.4), *FRAME),
    Displacement("polynomial", (3.0, 0.1, 0.2, 0.3, 0.4, 1 / 3), (1.0, 0.3, 0.4, 0.5, 0.6, 1e-7), *FRAME),
)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("search", ["near", "wide"])
def test_registrations_are_read_as_written(tmp_path: Path, model: Displacement, search: str) -> None:
    record = registration_of("alps", dataclasses.replace(FIT, model=model, search=search), UTM)
    write_registration(tmp_path / "registration.json", record, {"clairemap_version": "1"})
    read = read_registration(tmp_path / "registration.json")
    assert read == dataclasses.replace(record, stamp={"clairemap_version": "1"})
    assert displacement_of(read) == model and read.search == search


def test_the_file_has_the_documented_keys(tmp_path: Path) -> None:
    write_registration(tmp_path / "r.json", registration_of("alps", FIT, UTM), {"clairemap_version": "1"})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["model"] == {
        "kind": "translation", "dy_px": [-0.75], "dx_px": [1.5], "centre": [0.0, 0.0], "scale_px": 1.0
    }  # fmt: skip
    assert content["displacement_px"] == {"dy": -0.75, "dx": 1.5}
    assert content["applied"] is True and content["verdict"] == "good" and content["scene"] == "alps"
    assert content["search"] == "near" and content["reason"] == FIT.reason
    assert content["quality"] == {
        "ties": 8, "inliers": 7, "inlier_share": 0.875, "rmse_px": 0.4, "cross_validated_rmse_px": 0.5,
        "split_half_px": 0.1, "coverage": 1.0, "false_alarms": 1e-9,
    }  # fmt: skip
    assert content["ties"][0] == {
        "y": 10.5, "x": 20.0, "dy": -0.8, "dx": 1.4, "strength": 5.5, "residual_px": 0.112, "inlier": True
    }  # fmt: skip
    assert content["optical_res_m"] == 10 and content["stamp"] == {"clairemap_version": "1"}


def test_the_mean_displacement_is_that_over_the_optical_grid() -> None:
    turned = registration_of("alps", dataclasses.replace(FIT, model=MODELS[1]), UTM)
    assert (turned.displacement_px.dy, turned.displacement_px.dx) == pytest.approx((3, 1)) and turned.applied


def test_missing_figures_are_null(tmp_path: Path) -> None:
    write_registration(tmp_path / "r.json", registration_of("alps", single_sensor(), None), {})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["quality"]["rmse_px"] is None and content["optical_res_m"] is None
    assert displacement_of(read_registration(tmp_path / "r.json")) == NO_DISPLACEMENT


def test_only_applied_displacements_are_used() -> None:
    assert displacement_of(registration_of("a", FIT, UTM)) == FIT.model
    for unmoved in (
        dataclasses.replace(FIT, verdict="rejected"),
        dataclasses.replace(FIT, model=Displacement.translation(0.1, 0.1)),
    ):
        record = registration_of("a", unmoved, UTM)
        assert not record.applied and displacement_of(record) == NO_DISPLACEMENT
        assert Displacement.of(record.model) == unmoved.model
