from collections.abc import Callable
from types import ModuleType
from typing import get_args

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from scipy import ndimage

from clairemap.artefacts.registration import Kind
from clairemap.errors import NoOverlapError
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit

Register = Callable[..., Fit]
GRID = GeoBox((320, 320), Affine.identity(), None)
LARGE = GeoBox((640, 640), Affine.identity(), None)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def error_px(fit: Fit, truth: Displacement, grid: GeoBox = GRID) -> float:
    """Return the maximum error of a fit over the scene."""
    return float(np.hypot(*(fit.model.over(grid.shape) - truth.over(grid.shape)).T).max())


def error_at_ties_px(fit: Fit, truth: Displacement) -> float:
    """Return the root mean square error of a fit at its inliers."""
    places = np.array([(tie.y, tie.x) for tie in fit.ties])
    return float(np.sqrt(((fit.model.at_places(places) - truth.at_places(places)) ** 2).sum(axis=1).mean()))


@pytest.fixture
def made(made_rasters: ModuleType) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function that creates a pair of images with a displacement."""

    def made(truth: Displacement = NO_DISPLACEMENT, grid: GeoBox = GRID) -> tuple[np.ndarray, np.ndarray]:
        fields = made_rasters.Fields(grid)
        return fields.optical(), fields.sar(grid, truth)

    return made


@pytest.mark.parametrize("shift", [(0.0, 0.0), (45.0, -20.6), (-30.0, 63.0)])
def test_shifts_are_found(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]], shift: tuple[float, float]
) -> None:
    truth = Displacement.translation(*shift)
    fit = register(*made(truth), max_shift_px=64)
    assert fit.verdict == "good" and fit.search == "near" and fit.model.kind == "translation"
    assert error_px(fit, truth) < 0.2
    assert fit.worth_applying(GRID.shape) is (shift != (0.0, 0.0))


def test_shifts_are_found_after_a_coarse_search(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    truth = Displacement.translation(45.3, -20.2)
    fit = register(*made(truth, LARGE), max_shift_px=64)
    assert fit.verdict == "good" and error_px(fit, truth, LARGE) < 0.2


@pytest.mark.parametrize("grid", [GRID, LARGE])
def test_a_small_rotation_and_scale_are_found_near_the_georeferencing(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]], made_rasters: ModuleType, grid: GeoBox
) -> None:
    truth = made_rasters.similarity(1.0, 1.01, grid, (4.0, -7.0))
    fit = register(*made(truth, grid))
    assert fit.verdict == "good" and fit.search == "near" and fit.model.kind in ("similarity", "affine")
    assert error_px(fit, truth, grid) < 0.3


def test_shear_selects_an_affine_model(register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    truth = Displacement("affine", (2.0, 0.0, 3.0), (-1.0, 2.5, -3.0), (159.5, 159.5), 160.0)
    fit = register(*made(truth))
    assert fit.verdict == "good" and fit.model.kind == "affine" and error_px(fit, truth) < 0.4


def test_curvature_selects_a_polynomial(register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    truth = Displacement("polynomial", (1, 1, -2, 3, 1, -2), (2, -1, 1, -2, 2, 3), (319.5, 319.5), 320.0)
    fit = register(*made(truth, LARGE))
    assert fit.verdict == "good" and fit.model.kind == "polynomial" and error_px(fit, truth, LARGE) < 0.8


@pytest.mark.parametrize("kind", get_args(Kind))
def test_settings_choose_the_kind_of_model(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]], kind: Kind
) -> None:
    truth = Displacement.translation(3.4, -2.3)
    fit = register(*made(truth), model=kind)
    assert fit.verdict == "good" and fit.model.kind == kind and error_px(fit, truth) < 0.6


@pytest.mark.usefixtures("fewer_steps")
def test_a_rotated_image_is_found_only_by_the_wide_search(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]], made_rasters: ModuleType
) -> None:
    truth = made_rasters.similarity(40.0, 1.0, GRID, (5.0, -3.0))
    pictures = made(truth)
    assert register(*pictures).verdict == "rejected"
    fit = register(*pictures, search_rotation=True)
    assert fit.verdict == "good" and fit.search == "wide" and fit.model.kind in ("similarity", "affine")
    assert error_px(fit, truth) < 1 and fit.worth_applying(GRID.shape)


def moved(grid: GeoBox, rows: int, cols: int) -> GeoBox:
    """Return a grid of the same pixels with its origin moved by some pixels."""
    return GeoBox(grid.shape, grid.transform @ Affine.translation(cols, rows), grid.crs)


def unrelated(made_rasters: ModuleType, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Return unrelated images."""
    fields, rng = made_rasters.Fields(GRID), np.random.default_rng(5)
    optical, sar = fields.optical(), fields.sar(GRID)
    noise = rng.gamma(4, 0.02, sar.shape).astype(np.float32)
    return {
        "other ground": (optical, made_rasters.Fields(GRID, seed=77).sar(GRID)),
        "noise": (optical, noise),
        "noise in both": (rng.integers(1, 4000, optical.shape).astype(np.uint16), noise),
        "mirrored": (optical, np.ascontiguousarray(sar[:, ::-1])),
        "constant sar": (optical, np.full_like(sar, 0.05)),
        "constant optical": (np.full_like(optical, 900), sar),
        "constant": (np.full_like(optical, 900), np.full_like(sar, 0.05)),
        "no sar": (optical, np.full_like(sar, np.nan)),
        "no optical": (np.zeros_like(optical), sar),
        "nothing": (np.zeros_like(optical), np.full_like(sar, np.nan)),
        "a single edge": (
            np.where(np.arange(320) < 170, 500, 900).astype(np.uint16) * np.ones((2, 320, 1), np.uint16),
            np.where(np.arange(320) < 160, 0.05, 0.2).astype(np.float32) * np.ones((1, 320, 1), np.float32),
        ),
        "stripes": (
            (1000 + 500 * np.sign(np.sin(np.arange(320) / 4))).astype(np.uint16) * np.ones((2, 320, 1), np.uint16),
            (0.1 + 0.05 * np.sign(np.sin(np.arange(320) / 4 + 2))).astype(np.float32)
            * np.ones((1, 320, 1), np.float32),
        ),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "other ground", "noise", "noise in both", "mirrored", "constant sar", "constant optical", "constant", "no sar",
        "no optical", "nothing", "a single edge", "stripes",
    ],
)  # fmt: skip
def test_unrelated_images_are_rejected_with_a_reason(register: Register, made_rasters: ModuleType, kind: str) -> None:
    fit = register(*unrelated(made_rasters, kind))
    assert fit.verdict == "rejected" and fit.reason and not fit.worth_applying(GRID.shape)
    assert all(np.isfinite(fit.model.over(GRID.shape)).ravel())


@pytest.mark.usefixtures("fewer_steps")
def test_mirrored_images_match_at_no_rotation(register: Register, made_rasters: ModuleType) -> None:
    assert register(*unrelated(made_rasters, "mirrored"), search_rotation=True).verdict == "rejected"


@pytest.mark.parametrize("kind", ["constant", "constant sar", "no sar", "nothing"])
def test_images_without_structure_are_rejected_by_every_search(
    register: Register, made_rasters: ModuleType, kind: str
) -> None:
    fit = register(*unrelated(made_rasters, kind), search_rotation=True)
    assert fit.verdict == "rejected" and "no window has edges" in fit.reason and fit.model == NO_DISPLACEMENT


@pytest.mark.parametrize("overlap_px", [1, 12])
def test_a_sliver_of_overlap_is_rejected(register: Register, made_rasters: ModuleType, overlap_px: int) -> None:
    grid = made_rasters.UTM
    away = moved(grid, 320 - overlap_px, 320 - overlap_px)
    fields = made_rasters.Fields(grid)
    fit = register(fields.optical(), fields.sar(away), (grid, away))
    assert fit.verdict == "rejected" and fit.reason
    with pytest.raises(NoOverlapError):
        register(fields.optical(), fields.sar(away), (grid, moved(grid, 0, 320)))


def test_half_a_scene_of_overlap_is_sufficient(register: Register, made_rasters: ModuleType) -> None:
    grid = made_rasters.UTM
    away = moved(grid, 0, 160)
    fields = made_rasters.Fields(grid)
    truth = Displacement.translation(6.0, -4.5)
    fit = register(fields.optical(), fields.sar(away, truth), (grid, away))
    assert fit.verdict == "good" and error_at_ties_px(fit, truth) < 0.3


def test_swapped_images_give_the_opposite_displacement(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    optical, sar = made(Displacement.translation(5.0, -8.0))
    fit = register(sar, optical[:1].astype(np.float32))
    assert fit.verdict == "rejected" or error_px(fit, Displacement.translation(-5.0, 8.0)) < 0.5


def test_nodata_has_no_influence(register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    truth = Displacement.translation(7.0, 4.4)
    optical, sar = made(truth)
    optical[:, :90], sar[:, :, 240:] = 0, np.nan
    sar[:, 150:170, 100:120] = np.nan
    fit = register(optical, sar)
    assert fit.verdict == "good" and error_at_ties_px(fit, truth) < 0.3
    assert all(tie.y > 80 and tie.x < 250 for tie in fit.ties)


def test_without_coarse_windows_refinement_starts_from_the_georeferencing(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    truth = Displacement.translation(2.0, -1.0)
    optical, sar = made(truth, LARGE)
    sar[:, :, :270], sar[:, :, 360:] = np.nan, np.nan  # too narrow for the coarse grid's windows
    assert error_px(register(optical, sar), truth, LARGE) < 0.5


def test_shifts_are_found_in_single_look_speckle(register: Register, made_rasters: ModuleType) -> None:
    fields, truth = made_rasters.Fields(GRID), Displacement.translation(-6.0, 9.5)
    fit = register(fields.optical(), fields.sar(GRID, truth, looks=1))
    assert fit.verdict in ("good", "weak") and error_px(fit, truth) < 0.5


def test_partly_moved_ground_is_weak_or_rejected(
    register: Register, made: Callable[..., tuple[np.ndarray, np.ndarray]]
) -> None:
    optical, sar = made()
    cut = np.concatenate([sar[:, :, :160], ndimage.shift(sar[:, :, 160:], (0, 9, 0), order=0, mode="nearest")], axis=2)
    assert register(optical, cut).verdict in ("weak", "rejected")
