import json
from dataclasses import replace
from pathlib import Path

import pytest

from clairemap.artefacts.registration import (
    DisplacementModel,
    JudgedTie,
    MeanDisplacement,
    Quality,
    Registration,
    read_registration,
    write_registration,
)
from clairemap.errors import StoreError

REGISTRATION = Registration(
    scene="älps",
    verdict="good",
    reason="7 of 8 ties agree",
    search="near",
    applied=True,
    displacement_px=MeanDisplacement(-0.75, 1.5),
    model=DisplacementModel("translation", (-0.75,), (1.5,)),
    quality=Quality(8, 7, 0.875, 0.4, None, 0.1, 1.0, 1e-9),
    optical_res_m=10.0,
    ties=(JudgedTie(10.5, 20.0, -0.8, 1.4, 5.5, 0.112, True),),
    stamp={"clairemap_version": "1"},
)


def test_round_trip(tmp_path: Path) -> None:
    write_registration(tmp_path / "r.json", REGISTRATION, REGISTRATION.stamp)
    assert read_registration(tmp_path / "r.json") == REGISTRATION


def test_values_of_tie_points_are_rounded(tmp_path: Path) -> None:
    tie = JudgedTie(1.23456, 2.0, 1 / 3, -0.0004, 5.55555, 0.1119, False)
    write_registration(tmp_path / "r.json", replace(REGISTRATION, ties=(tie,)), {})
    (read,) = read_registration(tmp_path / "r.json").ties
    assert read == JudgedTie(1.235, 2.0, 0.333, 0.0, 5.556, 0.112, False)


@pytest.mark.parametrize(
    "model", [{"kind": "spline"}, {"kind": "affine"}, {"dy_px": []}, {"dx_px": None}, {"centre": 3}]
)
def test_invalid_model_is_an_error(tmp_path: Path, model: dict[str, object]) -> None:
    path = tmp_path / "r.json"
    write_registration(path, REGISTRATION, {})
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"model": content["model"] | model}))
    with pytest.raises(StoreError, match=r"r\.json: not a valid registration .*run register_pair again"):
        read_registration(path)


@pytest.mark.parametrize("text", ["", "{", '{"scene": "a"}', '{"model": {"kind": "spline"}}'])
def test_damaged_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(StoreError, match=r"r\.json"):
        read_registration(tmp_path / "r.json")
