import json
from pathlib import Path

import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.errors import StoreError
from clairemap.registration.fit import Fit, Quality, single_sensor
from clairemap.registration.match import Tie
from clairemap.registration.model import NO_DISPLACEMENT, Translation
from clairemap.registration.record import Registration, pixel_size_m, read_registration, write_registration

UTM = GeoBox((100, 100), Affine(10, 0, 500_000, 0, -10, 5_300_000), "EPSG:32633")
FIT = Fit(
    "good",
    "7 of 8 distinct ties agree",
    Translation(dy_px=-0.75, dx_px=1.5),
    Quality(8, 7, 0.875, 0.4, 0.1, 1.0),
    (Tie(10.5, 20.0, -0.8, 1.4, 5.5), Tie(30.0, 40.0, 9.0, 1.0, 0.75)),
    (True, False),
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    record = Registration.of("alps", FIT, UTM)
    write_registration(tmp_path / "registration.json", record, {"clairemap_version": "1"})
    assert read_registration(tmp_path / "registration.json") == record


def test_the_file_keeps_to_the_contract(tmp_path: Path) -> None:
    write_registration(tmp_path / "r.json", Registration.of("alps", FIT, UTM), {"clairemap_version": "1"})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["model"] == {"kind": "translation", "dx_px": 1.5, "dy_px": -0.75}
    assert content["applied"] is True and content["verdict"] == "good" and content["scene"] == "alps"
    assert content["quality"]["split_half_px"] == 0.1
    assert content["ties"][0] == {"y": 10.5, "x": 20.0, "dy": -0.8, "dx": 1.4, "strength": 5.5, "inlier": True}
    assert content["optical_res_m"] == 10 and content["stamp"] == {"clairemap_version": "1"}


def test_missing_figures_are_null(tmp_path: Path) -> None:
    write_registration(tmp_path / "r.json", Registration.of("alps", single_sensor(), None), {})
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["quality"]["rmse_px"] is None and content["optical_res_m"] is None
    assert read_registration(tmp_path / "r.json").displacement == NO_DISPLACEMENT


def test_only_applied_displacements_displace() -> None:
    assert Registration.of("a", FIT, UTM).displacement == FIT.model
    rejected = Fit("rejected", "", FIT.model, FIT.quality)
    assert Registration.of("a", rejected, UTM).displacement == NO_DISPLACEMENT


@pytest.mark.parametrize("text", ["", "{", '{"scene": "a"}', '{"model": {"kind": "spline"}}'])
def test_damaged_records_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(StoreError, match=r"r\.json"):
        read_registration(tmp_path / "r.json")


def test_pixel_sizes() -> None:
    assert pixel_size_m(UTM) == pytest.approx(10)
    assert pixel_size_m(GeoBox((10, 10), Affine(30, 0, 0, 0, -30, 0), "EPSG:2263")) == pytest.approx(9.144, abs=1e-3)
    at_equator = GeoBox((2, 2), Affine(1e-4, 0, 10, 0, -1e-4, 1e-4), "EPSG:4326")
    assert pixel_size_m(at_equator) == pytest.approx(11.1, abs=0.05)
    assert pixel_size_m(GeoBox((10, 10), Affine.identity(), None)) is None
