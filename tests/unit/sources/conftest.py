"""Roles of a scene, resolved and read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from clairemap.artefacts.scene_sources import ResolvedRole, SceneSources, write_scene_sources
from clairemap.grid.window import Window
from clairemap.raster import gdal_files, remote_files, source
from clairemap.raster.source import Block
from clairemap.registration.sources import optical_source, sar_source
from clairemap.settings import OpticalBands, ResolvedOptical, ResolvedSar, ResolvedSensors, SarBands
from clairemap.sources.opened import SceneRasters
from clairemap.sources.resolve import resolve
from clairemap.sources.resolved_cells import resolved_cells

Roles = Callable[..., dict[str, ResolvedRole]]
Read = Callable[..., Block]


def sensors(optical: dict[str, object] | None = None, sar: dict[str, object] | None = None) -> ResolvedSensors:
    """Return settings; keys that are not given have their defaults."""
    return ResolvedSensors(
        optical=ResolvedOptical.model_validate(optical or {}), sar=ResolvedSar.model_validate(sar or {})
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pauses short and forget what other tests have cached; servers of several tests may have one port."""
    remote_files.prepare()
    for prefix in remote_files.PREFIXES:
        gdal_files.set_option(prefix, "GDAL_HTTP_MAX_RETRY", "2")
        gdal_files.set_option(prefix, "GDAL_HTTP_RETRY_DELAY", "0.01")
    monkeypatch.setattr(source, "PAUSES_S", (0.01, 0.01))
    gdal_files.forget()


@pytest.fixture
def roles() -> Roles:
    """Return a function that resolves cells by role: ``roles({"optical": path}, optical={"bands": …})``."""

    def resolved(cells: dict[str, Path | str], **settings: dict[str, object]) -> dict[str, ResolvedRole]:
        texts = {role: str(text) for role, text in cells.items()}
        chosen = sensors(**settings)
        return dict(resolve(resolved_cells(texts, chosen), chosen, "west"))

    return resolved


@pytest.fixture
def read(roles: Roles, tmp_path: Path) -> Read:
    """Return a function that resolves an optical or SAR cell and reads all of it as the stages do."""

    def whole(cell: Path | str, role: str = "optical", **settings: object) -> Block:
        found = roles({role: cell}, **{role: settings})
        record = tmp_path / "sources.json"
        write_scene_sources(record, SceneSources(scene="west", roles=found))
        raster = SceneRasters({role: str(cell)}, record).sensor(role)
        names = {key: value for key, value in settings.items() if key in ("bands", "indexes", "nodata", "scale")}
        if role == "optical":
            opened = optical_source(raster, OpticalBands.model_validate(names))
        else:
            opened = sar_source(raster, SarBands.model_validate(names))
        with opened:
            indexes = opened.band_indexes(tuple(settings["bands"]), None, role)
            return opened.read(Window(0, 0, *opened.shape), indexes)

    return whole


def repeated(values: NDArray[np.generic], times: int) -> NDArray[np.generic]:
    """Return each pixel as a square of pixels."""
    return np.kron(values, np.ones((times, times), values.dtype))
