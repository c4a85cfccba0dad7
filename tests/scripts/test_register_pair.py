import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from clairemap.errors import BandCountError, NoOverlapError, RegistrationRejectedError, UnreadableFileError, ValuesError
from clairemap.settings import load_settings
from clairemap.stages import RegisterPair, stage_json

Register = Callable[..., dict[str, Any]]
SHIFT = (3.4, -2.3)
CONFIG: dict[str, Any] = {
    "sensors": {"optical": {"bands": ["red", "nir"]}, "sar": {"bands": ["VV"]}},
    "registration": {"max_shift_px": 12, "search_rotation": False},
}


def settings(**registration: object) -> str:
    config = CONFIG | {"registration": CONFIG["registration"] | registration}
    return stage_json(load_settings(config), RegisterPair)


@pytest.fixture
def register(stage: Callable[[str], Callable[..., Any]], tmp_path: Path):
    def registered(optical: Path | None, sar: Path | None, **registration: object) -> dict[str, Any]:
        target = tmp_path / "out" / "registration.json"
        stage("register_pair")(
            scene="made", registration=target, settings=settings(**registration), optical=optical, sar=sar
        )
        return json.loads(target.read_text())

    return registered


def mean(result: dict[str, Any]) -> tuple[float, float]:
    return result["displacement_px"]["dy"], result["displacement_px"]["dx"]


@pytest.fixture
def optical(made_rasters: ModuleType, tmp_path: Path) -> Path:
    return made_rasters.write_raster(
        tmp_path / "optical.tif", made_rasters.Fields(made_rasters.UTM).optical(), made_rasters.UTM
    )


@pytest.mark.parametrize("crs_resolution", [None, ("EPSG:4326", 9e-5), ("EPSG:32632", 14.0)])
def test_a_known_shift_is_found_on_any_sar_grid(
    register: Register,
    optical: Path,
    made_rasters: ModuleType,
    tmp_path: Path,
    crs_resolution: tuple[str, float] | None,
) -> None:
    grid = made_rasters.covering(made_rasters.UTM, *crs_resolution) if crs_resolution else made_rasters.UTM
    power = made_rasters.Fields(made_rasters.UTM).sar(grid, SHIFT)
    power[:, :60, :60] = np.nan
    result = register(optical, made_rasters.write_raster(tmp_path / "sar.tif", power, grid))
    assert result["verdict"] == "good" and result["applied"] is True
    assert mean(result) == pytest.approx(SHIFT, abs=0.2)
    assert result["quality"]["rmse_px"] < 1 and result["quality"]["split_half_px"] < 0.3
    assert result["quality"]["cross_validated_rmse_px"] < 1 and result["quality"]["false_alarms"] < 1e-3
    assert result["search"] == "near" and len(result["ties"]) == result["quality"]["ties"]
    assert sum(tie["inlier"] for tie in result["ties"]) == result["quality"]["inliers"]
    assert result["scene"] == "made" and result["optical_res_m"] == 10
    assert result["stamp"]["clairemap_stage"] == "register_pair"


def test_another_sar_scale_is_reported_before_a_rejected_registration(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path
) -> None:
    decibels = 10 * np.log10(made_rasters.Fields(made_rasters.UTM).sar(made_rasters.UTM))
    sar = made_rasters.write_raster(tmp_path / "sar.tif", decibels, made_rasters.UTM)
    with pytest.raises(ValuesError, match=r"sar\.tif: sensors\.sar\.scale is linear_power.*look like decibels"):
        register(optical, sar, on_rejected="error")


def test_images_without_georeferencing_are_registered_by_pixels(
    register: Register, made_rasters: ModuleType, tmp_path: Path
) -> None:
    fields = made_rasters.Fields(made_rasters.PIXELS)
    optical = made_rasters.write_raster(tmp_path / "o.tif", fields.optical())
    sar = made_rasters.write_raster(tmp_path / "s.tif", fields.sar(made_rasters.PIXELS, (-4.0, 5.5)))
    result = register(optical, sar)
    assert result["verdict"] == "good" and result["optical_res_m"] is None
    assert mean(result) == pytest.approx((-4, 5.5), abs=0.2)


def test_a_rotated_image_is_found_if_settings_allow(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path
) -> None:
    turn = made_rasters.similarity(-60.0, 0.9, made_rasters.UTM, (4.0, 3.0))
    power = made_rasters.Fields(made_rasters.UTM).sar(made_rasters.UTM, turn)
    sar = made_rasters.write_raster(tmp_path / "s.tif", power, made_rasters.UTM)
    assert register(optical, sar)["verdict"] == "rejected"
    result = register(optical, sar, search_rotation=True)
    assert result["verdict"] == "good" and result["search"] == "wide" and result["applied"] is True
    assert result["model"]["kind"] in ("similarity", "affine") and mean(result) == pytest.approx((4, 3), abs=0.5)


def test_an_aligned_pair_is_good_and_not_shifted(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path
) -> None:
    sar = made_rasters.write_raster(
        tmp_path / "s.tif", made_rasters.Fields(made_rasters.UTM).sar(made_rasters.UTM), made_rasters.UTM
    )
    result = register(optical, sar)
    assert result["verdict"] == "good" and result["applied"] is False


def unrelated(made_rasters: ModuleType, kind: str) -> np.ndarray:
    grid = made_rasters.UTM
    if kind == "noise":
        return np.random.default_rng(5).gamma(4, 0.02, (1, *grid.shape)).astype(np.float32)
    if kind == "other ground":
        return made_rasters.Fields(grid, seed=77).sar(grid)
    if kind == "rotated":
        return ndimage.rotate(made_rasters.Fields(grid).sar(grid), 30, axes=(1, 2), reshape=False, order=1)
    if kind == "constant":
        return np.full((1, *grid.shape), 0.05, np.float32)
    return np.full((1, *grid.shape), np.nan, np.float32)


@pytest.mark.parametrize("kind", ["noise", "other ground", "rotated", "constant", "nodata"])
def test_unrelated_images_are_rejected_with_a_reason(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path, kind: str
) -> None:
    sar = made_rasters.write_raster(tmp_path / "s.tif", unrelated(made_rasters, kind), made_rasters.UTM)
    result = register(optical, sar)
    assert result["verdict"] == "rejected" and result["applied"] is False and result["reason"]
    with pytest.raises(RegistrationRejectedError, match="made.*on_rejected"):
        register(optical, sar, on_rejected="error")


def test_without_a_model_nothing_is_estimated_and_nothing_rejected(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path
) -> None:
    displaced = made_rasters.Fields(made_rasters.UTM).sar(made_rasters.UTM, SHIFT)
    for kind, power in (("displaced", displaced), ("noise", unrelated(made_rasters, "noise"))):
        sar = made_rasters.write_raster(tmp_path / f"{kind}.tif", power, made_rasters.UTM)
        result = register(optical, sar, model="none", on_rejected="error")
        assert result["verdict"] == "as_delivered" and "registration.model" in result["reason"]
        assert result["applied"] is False and mean(result) == (0, 0) and result["ties"] == []
    two = made_rasters.write_raster(tmp_path / "two.tif", np.repeat(displaced, 2, axis=0), made_rasters.UTM)
    with pytest.raises(BandCountError, match=r"two\.tif: has 2"):
        register(optical, two, model="none")


def test_one_sensor_alone(register: Register, optical: Path) -> None:
    for pair in ((optical, None), (None, optical)):
        result = register(*pair)
        assert result["verdict"] == "single_sensor" and result["applied"] is False and result["ties"] == []


def test_bad_files_are_errors_and_leave_no_files(
    register: Register, optical: Path, made_rasters: ModuleType, tmp_path: Path
) -> None:
    away = made_rasters.covering(made_rasters.UTM, "EPSG:32632", 14.0)
    away = type(away)(away.shape, away.transform.translation(1e5, 0) @ away.transform, away.crs)
    sar = np.random.default_rng(0).gamma(4, 0.02, (1, *away.shape)).astype(np.float32)
    with pytest.raises(NoOverlapError, match=r"optical\.tif and .*away\.tif"):
        register(optical, made_rasters.write_raster(tmp_path / "away.tif", sar, away))
    with pytest.raises(BandCountError, match="two.tif: has 2"):
        register(optical, made_rasters.write_raster(tmp_path / "two.tif", np.repeat(sar, 2, axis=0), made_rasters.UTM))
    whole = optical.read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(UnreadableFileError, match=r"cut\.tif"):
        register(cut, made_rasters.write_raster(tmp_path / "sar.tif", sar[:, :320, :320], made_rasters.UTM))
    assert not (tmp_path / "out").exists()
