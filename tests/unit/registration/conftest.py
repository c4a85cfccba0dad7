"""Fixtures: pairs of images as files, and their registration."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from clairemap.raster.source import RasterSource
from clairemap.raster.values import Reading
from clairemap.registration import wide
from clairemap.registration.estimate import estimate_displacement
from clairemap.registration.match import Pair
from clairemap.registration.result import Fit
from clairemap.settings import OpticalSettings, RegistrationSettings, SarSettings, SensorsSettings


@pytest.fixture
def opened(tmp_path: Path, made_rasters: ModuleType):
    """Return a function that writes images (band, y, x) and returns the opened files and their band settings."""

    def opened(
        optical: np.ndarray, sar: np.ndarray, grids: tuple[GeoBox | None, GeoBox | None] = (None, None)
    ) -> tuple[RasterSource, RasterSource, SensorsSettings]:
        sources = (
            RasterSource(made_rasters.write_raster(tmp_path / f"{name}.tif", values, grid), Reading(nodata))
            for name, values, grid, nodata in zip(("optical", "sar"), (optical, sar), grids, (0, None), strict=True)
        )
        bands = tuple(f"b{number}" for number in range(len(optical)))
        sensors = SensorsSettings(optical=OpticalSettings(bands=bands), sar=SarSettings(bands=("VV",)))
        return *sources, sensors

    return opened


@pytest.fixture
def pair_of(opened: Callable[..., tuple[RasterSource, RasterSource, SensorsSettings]]) -> Callable[..., Pair]:
    """Return ``pair_of(optical, sar)``: opens images as a pair."""
    return lambda *pictures: Pair.opened(*opened(*pictures))


@pytest.fixture
def register(opened: Callable[..., tuple[RasterSource, RasterSource, SensorsSettings]]) -> Callable[..., Fit]:
    """Return a function that registers images, by default only near their georeferencing."""

    def register(*pictures: np.ndarray, search_rotation: bool = False, **settings: object) -> Fit:
        section = RegistrationSettings.model_validate({"search_rotation": search_rotation, **settings})
        return estimate_displacement(*opened(*pictures), section)

    return register


@pytest.fixture
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Double the step of the rotation search to save time."""
    monkeypatch.setattr(wide, "ROTATION_STEP_DEG", 10.0)
