"""Pairs of pictures as files: for tests of matching and of what is made of it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from odc.geo.geobox import GeoBox

from clairemap.raster.source import RasterSource
from clairemap.raster.values import Reading
from clairemap.registration import wide
from clairemap.registration.estimate import registered
from clairemap.registration.match import Pair
from clairemap.registration.result import Fit
from clairemap.settings import OpticalSettings, RegistrationSettings, SarSettings, SensorsSettings


@pytest.fixture
def opened(tmp_path: Path, made_rasters: ModuleType):
    """Return a function that gives pictures (band, y, x) as opened files, and what the settings say of their bands."""

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
    """Return a function that gives pictures as a pair: ``pair_of(optical, sar)``."""
    return lambda *pictures: Pair.opened(*opened(*pictures))


@pytest.fixture
def register(opened: Callable[..., tuple[RasterSource, RasterSource, SensorsSettings]]) -> Callable[..., Fit]:
    """Return a function that registers pictures, by default near their georeferencing only."""

    def register(*pictures: np.ndarray, search_rotation: bool = False, **settings: object) -> Fit:
        section = RegistrationSettings.model_validate({"search_rotation": search_rotation, **settings})
        return registered(*opened(*pictures), section)

    return register


@pytest.fixture
def fewer_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search for a rotation take steps twice as large, to save time."""
    monkeypatch.setattr(wide, "ROTATION_STEP_DEG", 10.0)
