from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from clairemap.errors import BandCountError
from clairemap.raster.source import RasterSource
from clairemap.registration.match import match_scene, spread_windows
from clairemap.settings import OpticalSettings, RegistrationSettings, SarSettings, SensorsSettings

SENSORS = SensorsSettings(optical=OpticalSettings(bands=("a", "b")), sar=SarSettings(bands=("VV",)))
SEARCH = RegistrationSettings(max_shift_px=10)


@examples(max_examples=60, deadline=None)
@given(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), st.integers(4, 400))
def test_windows_lie_inside_and_are_not_too_many(shape: tuple[int, int], most: int) -> None:
    layout = spread_windows(shape, RegistrationSettings(max_windows=most))
    assert 1 <= len(layout.windows) <= most
    assert all(window.clipped(shape) == window and not window.is_empty for window in layout.windows)
    assert len(set(layout.windows)) == len(layout.windows)
    assert layout.overlap >= 1


@pytest.mark.parametrize(("shape", "side"), [((4096, 4096), 128), ((224, 300), 56), ((90, 90), 32), ((20, 500), 20)])
def test_windows_shrink_with_the_scene(shape: tuple[int, int], side: int) -> None:
    assert spread_windows(shape, RegistrationSettings()).windows[0].height == side


def test_windows_reach_all_sides() -> None:
    windows = spread_windows((1000, 700), RegistrationSettings()).windows
    assert min(w.y0 for w in windows) == 0 and max(w.y1 for w in windows) == 1000
    assert min(w.x0 for w in windows) == 0 and max(w.x1 for w in windows) == 700


@pytest.fixture
def pair(tmp_path: Path, made_rasters: ModuleType):
    fields = made_rasters.Fields(made_rasters.PIXELS)
    optical, sar = fields.optical(), fields.sar(made_rasters.PIXELS, shift=(3.4, -2.3))

    def opened(optical: np.ndarray = optical, sar: np.ndarray = sar, nodata: int | None = None) -> list[RasterSource]:
        return [
            RasterSource(made_rasters.write_raster(tmp_path / f"{name}.tif", values, nodata=tag))
            for name, values, tag in (("optical", optical, nodata), ("sar", sar, None))
        ]

    opened.optical, opened.sar = optical, sar
    return opened


def test_most_windows_find_the_shift(pair: Callable[..., list[RasterSource]]) -> None:
    evidence = match_scene(*pair(), SENSORS, SEARCH)
    offsets = np.array([(tie.dy, tie.dx) for tie in evidence.ties])
    near = np.hypot(*(offsets - (3.4, -2.3)).T) < 1
    assert near.mean() > 0.8
    assert len(evidence.ties) <= len(evidence.places) <= 256
    assert evidence.surface.shape == (21, 21)
    assert np.unravel_index(np.argmax(evidence.surface), (21, 21)) == (13, 8)


def test_nodata_has_no_influence_and_empty_windows_no_say(pair: Callable[..., list[RasterSource]]) -> None:
    sar, optical = pair.sar.copy(), pair.optical.copy()
    sar[:, :, 200:] = np.nan
    optical[:, :100] = 0
    evidence = match_scene(*pair(optical, sar, nodata=0), SENSORS, SEARCH)
    assert evidence.places and all(y > 85 and x < 215 for y, x in evidence.places)
    offsets = np.array([(tie.dy, tie.dx) for tie in evidence.ties])
    assert (np.hypot(*(offsets - (3.4, -2.3)).T) < 1).mean() > 0.8


def test_constant_pictures_say_nothing(pair: Callable[..., list[RasterSource]]) -> None:
    evidence = match_scene(*pair(optical=np.full_like(pair.optical, 900)), SENSORS, SEARCH)
    assert not evidence.places and not evidence.ties and not evidence.surface.any()


def test_band_counts_are_checked(pair: Callable[..., list[RasterSource]]) -> None:
    with pytest.raises(BandCountError, match=r"sar\.tif: has 2 band"):
        match_scene(*pair(sar=np.concatenate([pair.sar, pair.sar])), SENSORS, SEARCH)
