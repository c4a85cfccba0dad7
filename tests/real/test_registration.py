"""Registration of real pairs: control points, rotated images, pictures that do not belong together."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from clairemap.grid.mapping import PixelMapping
from clairemap.raster.source import RasterSource
from clairemap.registration.consensus import Frame
from clairemap.registration.estimate import estimate_displacement
from clairemap.registration.result import Fit
from clairemap.settings import OpticalSettings, RegistrationSettings, SarSettings, SensorsSettings

pytestmark = pytest.mark.real
Register = Callable[..., Fit]


@pytest.fixture
def register(real_data: Path) -> Register:
    def run(optical: str, sar: str, optical_bands: int = 3, sar_bands: int = 1, **settings: object) -> Fit:
        names = [tuple(f"{letter}{k}" for k in range(n)) for letter, n in (("o", optical_bands), ("s", sar_bands))]
        sensors = SensorsSettings(
            optical=OpticalSettings(bands=names[0]), sar=SarSettings(bands=names[1], scale="digital")
        )
        with RasterSource(real_data / optical) as first, RasterSource(real_data / sar) as second:
            return estimate_displacement(first, second, sensors, RegistrationSettings.model_validate(settings))

    return run


@pytest.mark.parametrize(
    ("pair", "bands", "most"),
    [("cfog_optical_sar", 3, 1.10), ("cfog_visible1_sar1", 1, 1.10), ("cfog_rosenheim", 3, 1.30)],
)
def test_control_points_are_met_about_as_well_as_by_their_own_affine_fit(
    register: Register, real_data: Path, pair: str, bands: int, most: float
) -> None:
    folder = real_data / "coreg" / pair
    points = np.loadtxt(folder / "control_points.csv", delimiter=",", skiprows=1)
    places, sar = points[:, [1, 0]], points[:, [3, 2]]
    with RasterSource(folder / "optical.tif") as optical, RasterSource(folder / "sar.tif") as source:
        shape = optical.shape
        if optical.geobox.crs is not None:
            sar = np.stack(PixelMapping(source.geobox, optical.geobox).exact(*sar.T), axis=-1)
    fit = register(f"coreg/{pair}/optical.tif", f"coreg/{pair}/sar.tif", bands)
    own = Frame.of(shape).solve("affine", places, sar - places, np.ones(len(places)))
    assert fit.verdict == "good" and own is not None
    errors = [root_mean_square(sar - places - model.at_places(places)) for model in (fit.model, own)]
    assert errors[0] <= most * errors[1]


def test_turned_and_resized_pictures_are_found(register: Register) -> None:
    fit = register("coreg/srif/pair33_1.jpg", "coreg/srif/pair33_2.jpg", 1)
    scale, angle = 256 / 250, math.radians(42)
    assert fit.verdict == "good" and fit.search == "wide"
    slopes = np.array([fit.model.dy_px[1:], fit.model.dx_px[1:]]) / fit.model.scale_px
    along, across = scale * math.cos(angle) - 1, scale * math.sin(angle)
    assert slopes == pytest.approx(np.array([[-across, along], [along, across]]), abs=0.02)


@pytest.mark.parametrize("sar", ["coreg/srif/pair50_2.jpg", "whu_opt_sar_figures/28_11/sar.tif"])
def test_pictures_of_other_ground_are_rejected(register: Register, sar: str) -> None:
    fit = register("coreg/srif/pair33_1.jpg", sar, 1)
    assert fit.verdict == "rejected" and not fit.worth_applying((250, 250))


def test_a_scene_is_found_again_where_it_was(register: Register) -> None:
    fit = register("la_east/optical.tif", "la_east/sar.tif", model="translation")
    dy, dx = fit.model.mean_px((2048, 2048))
    assert fit.verdict in ("good", "weak") and (dy, dx) == (pytest.approx(1.7, abs=0.4), pytest.approx(2.2, abs=0.4))
    assert fit.quality.split_half_px is not None and fit.quality.split_half_px < 0.25


def root_mean_square(offsets: np.ndarray) -> float:
    return math.sqrt(float((offsets**2).sum(axis=1).mean()))
