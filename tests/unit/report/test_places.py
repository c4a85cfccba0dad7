from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from clairemap.raster.source import RasterSource
from clairemap.registration.match import Pair
from clairemap.registration.model import Displacement
from clairemap.registration.record import Registration
from clairemap.registration.result import Fit, Quality, Tie
from clairemap.report.places import Place, places_of, spread
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
    return Registration.of("made", fit, pair.optical.geobox)


def corners(places: list[Place]) -> list[tuple[int, int]]:
    return [(place.row, place.column) for place in places]


def test_the_heaviest_comes_first_then_what_is_far():
    points = np.array([(0.0, 0.0), (0.0, 1.0), (0.0, 50.0), (0.0, 100.0)])
    assert spread(points, np.array([1.0, 0.9, 0.5, 0.5]), 2, apart=2, enough=1000) == [0, 3]
    assert spread(points, np.array([1.0, 0.9, 0.5, 0.4]), 2, apart=2, enough=20) == [0, 2]
    assert spread(points, np.array([1.0, 0.9, 0.5, 0.5]), 9, apart=60, enough=20) == [0, 3]
    assert spread(points, np.zeros(4), 2, apart=2, enough=1000) == [0, 2]


def test_moved_sar_agrees_better_than_delivered(pair: Pair):
    places = places_of(pair, record(pair))
    assert 1 <= len(places) <= 3
    for place in places:
        assert place.registered is not None
        assert place.registered.values.shape == place.delivered.values.shape == place.optical.values.shape == (128, 128)
        assert not np.array_equal(place.registered.values, place.delivered.values)
        moved = place.delivered.values[6:, :-9]  # content of (y, x) lies at (y + 6, x - 9)
        assert np.corrcoef(moved.ravel(), place.registered.values[:-6, 9:].ravel())[0, 1] > 0.99


def test_places_lie_inside_the_scene_do_not_overlap_and_are_always_the_same(pair: Pair):
    places = places_of(pair, record(pair))
    for place in places:
        assert 0 <= place.row <= 320 - place.across_px and 0 <= place.column <= 320 - place.across_px
    for index, (row, column) in enumerate(corners(places)):
        for other_row, other_column in corners(places)[index + 1 :]:
            assert max(abs(row - other_row), abs(column - other_column)) >= 128
    assert corners(places_of(pair, record(pair))) == corners(places) == sorted(corners(places))


@pytest.mark.parametrize("ties", [TIES, ()])
def test_rejected_scenes_are_shown_as_delivered(pair: Pair, ties: tuple[Tie, ...]):
    places = places_of(pair, record(pair, "rejected", ties))
    assert len(places) >= 2
    assert all(place.registered is None for place in places)


def test_nothing_valid_is_shown_as_nothing(made_rasters: ModuleType, tmp_path: Path):
    grid = made_rasters.UTM
    optical = made_rasters.write_raster(tmp_path / "o.tif", made_rasters.Fields(grid).optical(), grid)
    sar = made_rasters.write_raster(tmp_path / "s.tif", np.full((1, *grid.shape), np.nan, np.float32), grid)
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        places = places_of(pair, record(pair, "rejected", ()))
    assert places and not any(place.delivered.valid.any() for place in places)


def test_coarse_sar_is_shown_on_a_coarser_grid(made_rasters: ModuleType, tmp_path: Path):
    grid = made_rasters.UTM
    coarse = made_rasters.covering(grid, "EPSG:32633", 40.0)
    optical = made_rasters.write_raster(tmp_path / "o.tif", made_rasters.Fields(grid).optical(), grid)
    sar = made_rasters.write_raster(tmp_path / "s.tif", made_rasters.Fields(grid).sar(coarse), coarse)
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        places = places_of(pair, record(pair))
    assert {place.across_px for place in places} == {160}
    assert places[0].optical.values.shape == places[0].delivered.values.shape == (40, 40)


def test_a_scene_of_a_few_pixels_can_be_shown(made_rasters: ModuleType, tmp_path: Path):
    optical = made_rasters.write_raster(tmp_path / "o.tif", np.ones((2, 3, 1), np.uint16))
    sar = made_rasters.write_raster(tmp_path / "s.tif", np.ones((1, 3, 1), np.float32))
    with RasterSource(optical) as first, RasterSource(sar) as second:
        pair = Pair.opened(first, second, SENSORS)
        assert places_of(pair, record(pair, "rejected", ()))


def test_a_few_extreme_pixels_leave_the_contrast_of_the_rest(made_rasters: ModuleType, tmp_path: Path):
    fields, spread_of = made_rasters.Fields(made_rasters.UTM), {}
    sar = made_rasters.write_raster(tmp_path / "sar.tif", fields.sar(made_rasters.UTM, SHIFT), made_rasters.UTM)
    for name, share in (("plain", 0.0), ("hot", 0.005)):
        values = fields.optical()
        values[:, np.random.default_rng(0).random(values.shape[1:]) < share] = 65_000
        optical = made_rasters.write_raster(tmp_path / f"{name}.tif", values, made_rasters.UTM)
        with RasterSource(optical) as first, RasterSource(sar) as second:
            pair = Pair.opened(first, second, SENSORS)
            shown = places_of(pair, record(pair))[0].optical.values
        low, high = np.percentile(shown, (10, 90))
        spread_of[name] = high - low
    assert spread_of["plain"] > 0.3
    assert spread_of["hot"] == pytest.approx(spread_of["plain"], rel=0.1)
