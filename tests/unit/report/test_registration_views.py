from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from clairemap.artefacts.registration import Quality, Registration, Tie
from clairemap.raster.source import RasterSource
from clairemap.registration.match import Pair
from clairemap.registration.model import Displacement
from clairemap.registration.record import registration_of
from clairemap.registration.result import Fit
from clairemap.report.registration_views import RegistrationView, registration_views, spread_points
from clairemap.settings import OpticalBands, SarBands, SensorBands

SHIFT = (6.0, -9.0)
SENSORS = SensorBands(optical=OpticalBands(bands=("red", "nir")), sar=SarBands(bands=("VV",)))
TIES = tuple(Tie(y, x, *SHIFT, strength=1.0) for y in range(64, 320, 24) for x in range(64, 320, 24))


@pytest.fixture
def pair(made_rasters: ModuleType, tmp_path: Path) -> Iterator[Pair]:
    fields = made_rasters.Fields(made_rasters.UTM)
    optical = made_rasters.write_raster(tmp_path / "optical.tif", fields.optical(), made_rasters.UTM)
    sar = made_rasters.write_raster(tmp_path / "sar.tif", fields.sar(made_rasters.UTM, SHIFT), made_rasters.UTM)
    with RasterSource(optical) as first, RasterSource(sar) as second:
        yield Pair.opened(first, second, SENSORS)


def record(pair: Pair, verdict: str = "good", ties: tuple[Tie, ...] = TIES) -> Registration:
    fit = Fit(
        verdict, "made", Displacement.translation(*SHIFT), Quality(split_half_px=0.1), ties,  # type: ignore[arg-type]
        (0.0,) * len(ties), (True,) * len(ties),
    )  # fmt: skip
    return registration_of("made", fit, pair.optical.geobox)


def corners(views: list[RegistrationView]) -> list[tuple[int, int]]:
    return [(view.row, view.column) for view in views]


def test_the_heaviest_point_is_first_then_distant_ones():
    points = np.array([(0.0, 0.0), (0.0, 1.0), (0.0, 50.0), (0.0, 100.0)])
    assert spread_points(points, np.array([1.0, 0.9, 0.5, 0.5]), 2, min_distance=2, full_distance=1000) == [0, 3]
    assert spread_points(points, np.array([1.0, 0.9, 0.5, 0.4]), 2, min_distance=2, full_distance=20) == [0, 2]
    assert spread_points(points, np.array([1.0, 0.9, 0.5, 0.5]), 9, min_distance=60, full_distance=20) == [0, 3]
    assert spread_points(points, np.zeros(4), 2, min_distance=2, full_distance=1000) == [0, 2]


def test_moved_sar_agrees_better_than_delivered(pair: Pair):
    views = registration_views(pair, record(pair))
    assert 1 <= len(views) <= 3
    for view in views:
        assert view.registered is not None
        assert view.registered.values.shape == view.delivered.values.shape == view.optical.values.shape == (128, 128)
        assert not np.array_equal(view.registered.values, view.delivered.values)
        moved = view.delivered.values[6:, :-9]  # content of (y, x) is at (y + 6, x - 9)
        assert np.corrcoef(moved.ravel(), view.registered.values[:-6, 9:].ravel())[0, 1] > 0.99


def test_windows_are_inside_the_scene_disjoint_and_repeatable(pair: Pair):
    views = registration_views(pair, record(pair))
    for view in views:
        assert 0 <= view.row <= 320 - view.across_px and 0 <= view.column <= 320 - view.across_px
    for index, (row, column) in enumerate(corners(views)):
        for other_row, other_column in corners(views)[index + 1 :]:
            assert max(abs(row - other_row), abs(column - other_column)) >= 128
    assert corners(registration_views(pair, record(pair))) == corners(views) == sorted(corners(views))


@pytest.mark.parametrize("ties", [TIES, ()])
def test_rejected_scenes_are_shown_as_delivered(pair: Pair, ties: tuple[Tie, ...]):
    views = registration_views(pair, record(pair, "rejected", ties))
    assert len(views) >= 2
    assert all(view.registered is None for view in views)


def test_scenes_without_valid_pixels_have_empty_views(made_rasters: ModuleType, tmp_path: Path):
    grid = made_rasters.UTM
    optical = made_rasters.write_raster(tmp_path / "o.tif", made_rasters.Fields(grid).optical(), grid)
    sar = made_rasters.write_raster(tmp_path / "s.tif", np.full((1, *grid.shape), np.nan, np.float32), grid)
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        views = registration_views(pair, record(pair, "rejected", ()))
    assert views and not any(view.delivered.valid.any() for view in views)


def test_coarse_sar_is_shown_on_a_coarser_grid(made_rasters: ModuleType, tmp_path: Path):
    grid = made_rasters.UTM
    coarse = made_rasters.covering(grid, "EPSG:32633", 40.0)
    optical = made_rasters.write_raster(tmp_path / "o.tif", made_rasters.Fields(grid).optical(), grid)
    sar = made_rasters.write_raster(tmp_path / "s.tif", made_rasters.Fields(grid).sar(coarse), coarse)
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        views = registration_views(pair, record(pair))
    assert {view.across_px for view in views} == {160}
    assert views[0].optical.values.shape == views[0].delivered.values.shape == (40, 40)


def test_a_scene_of_a_few_pixels_can_be_shown(made_rasters: ModuleType, tmp_path: Path):
    optical = made_rasters.write_raster(tmp_path / "o.tif", np.ones((2, 3, 1), np.uint16))
    sar = made_rasters.write_raster(tmp_path / "s.tif", np.ones((1, 3, 1), np.float32))
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        assert registration_views(pair, record(pair, "rejected", ()))


def test_a_few_extreme_pixels_leave_the_contrast_of_the_rest(made_rasters: ModuleType, tmp_path: Path):
    fields, spread_of = made_rasters.Fields(made_rasters.UTM), {}
    sar = made_rasters.write_raster(tmp_path / "sar.tif", fields.sar(made_rasters.UTM, SHIFT), made_rasters.UTM)
    for name, share in (("plain", 0.0), ("hot", 0.005)):
        values = fields.optical()
        values[:, np.random.default_rng(0).random(values.shape[1:]) < share] = 65_000
        optical = made_rasters.write_raster(tmp_path / f"{name}.tif", values, made_rasters.UTM)
        with RasterSource(optical) as first, RasterSource(sar) as second:
            pair = Pair.opened(first, second, SENSORS)
            shown = registration_views(pair, record(pair))[0].optical.values
        low, high = np.percentile(shown, (10, 90))
        spread_of[name] = high - low
    assert spread_of["plain"] > 0.3
    assert spread_of["hot"] == pytest.approx(spread_of["plain"], rel=0.1)
