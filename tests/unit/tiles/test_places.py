from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.artefacts.origin import Origin, TrainingPlace
from clairemap.settings import LegendSettings, SensorsSettings
from clairemap.tiles.places import audit_places, audit_start, training_places, with_places_of_start


def grid(x0_px: int, crs: str | None = "EPSG:32633") -> GeoBox:
    return GeoBox((128, 256), Affine(10, 0, 500_000 + 10 * x0_px, 0, -10, 4_000_000), crs)


def origin(places: Sequence[TrainingPlace], *, complete: bool = True) -> Origin:
    """Origin of a model trained on places."""
    return Origin(
        weights_sha256="0",
        legend=LegendSettings(),
        sensors=SensorsSettings(),
        places=tuple(places),
        places_are_complete=complete,
    )


def tiles(scene: str, split: str) -> pd.DataFrame:
    """Two tiles of 128 px; the second one has no labels."""
    return pd.DataFrame(
        {
            **{"scene": scene, "row": 0, "col": [0, 1], "y0": 0, "x0": [0, 128], "height": 128, "width": 128},
            **{"labelled_px": [9, 0], "class_px": [[4, 5], [0, 0]], "split": split},
        }
    )


@pytest.fixture
def places() -> tuple[TrainingPlace, ...]:
    table = pd.concat([tiles("west", "train"), tiles("east", "val"), tiles("bare", "buffer")])
    grids = {"west": grid(0), "east": grid(1000), "bare": grid(0, None)}
    return training_places(table, grids, {"west": [date(2026, 5, 1)]})


def test_places_have_the_labelled_tiles_of_training_and_validation(places: tuple[TrainingPlace, ...]):
    assert [(p.scene, p.split, p.tiles, p.dates) for p in places] == [
        ("west", "train", 1, (date(2026, 5, 1),)),
        ("east", "val", 1, ()),
    ]
    west, _, east, _ = shape(places[0].outline).bounds
    assert (east - west) * 111_320 * 0.81 == pytest.approx(1280, rel=0.02)  # one tile at 36 degrees, not two


def test_the_same_place_under_the_same_name_is_found(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("west", "test"), {"west": grid(64)}, origin(places))
    assert found.method == "given" and found.test_scenes == ("west",) and found.not_compared == ()
    assert found.tiles == {"train": 1, "val": 1, "test": 1, "buffer": 0}
    assert found.held_out["test"].overlapping_share == pytest.approx(0.5, abs=0.01)
    assert found.held_out["test"].copied_tiles is None


def test_a_place_of_validation_is_not_leakage(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("a", "test"), {"a": grid(1000)}, origin(places))
    assert found.held_out["test"].overlapping_share == 0
    assert found.held_out["test"].distance_px == pytest.approx(1000 - 128, abs=3)


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_what_cannot_be_compared_is_not_reported_as_no_overlap(places: tuple[TrainingPlace, ...], crs: str | None):
    unplaced = [places[0].model_copy(update={"outline": None})]
    for known in ([], unplaced) if crs else (places,):
        found = audit_places(tiles("a", "test"), {"a": grid(0, crs)}, origin(known))
        assert replace(found.held_out["test"], copies=()).overlapping_share is None
        assert found.not_compared == (("a",) if crs is None else ("west (training)",) if known else ())


def test_without_labelled_test_scenes_nothing_is_held_out(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("a", "test").iloc[:0], {}, origin(places))
    assert (found.held_out, found.test_scenes) == ({}, ())


def test_an_earlier_training_without_known_places_is_not_reported_as_no_overlap(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("a", "test"), {"a": grid(5000)}, origin(places, complete=False))
    assert found.not_compared == ("scenes of an earlier training",)


def test_places_of_a_fine_tuned_model_include_those_of_the_model_before(places: tuple[TrainingPlace, ...]):
    west, east = places
    assert with_places_of_start([west], origin(places)) == (west, east)
    assert with_places_of_start([west], None) == (west,)


NO_LEAKAGE = Leakage(distance_px=300, overlapping_share=0.0, copied_tiles=0, copies=())


@pytest.fixture
def split() -> tuple[pd.DataFrame, SplitAudit]:
    """A split with one test scene, and its audit."""
    return tiles("a", "test"), SplitAudit("scene", {"train": 1, "test": 1}, {"test": NO_LEAKAGE}, ())


@pytest.mark.parametrize(("x0_px", "share"), [(64, 0.5), (1000, 0.0)])
def test_test_scenes_are_compared_with_the_model_that_training_started_from(
    places: tuple[TrainingPlace, ...], split: tuple[pd.DataFrame, SplitAudit], x0_px: int, share: float
):
    table, audit = split
    found = audit_start(audit, table, {"a": grid(x0_px)}, origin(places))
    assert found.start_is_known is True
    assert found.held_out["test"].start_share == pytest.approx(share, abs=0.01)
    assert replace(found.held_out["test"], start_share=None) == NO_LEAKAGE


@pytest.mark.parametrize("unknown", ["model", "grid", "outline", "earlier"])
def test_a_start_that_cannot_be_compared_is_not_reported_as_known(
    places: tuple[TrainingPlace, ...], split: tuple[pd.DataFrame, SplitAudit], unknown: str
):
    table, audit = split
    bare = places[0].model_copy(update={"outline": None})
    known = {"model": (), "outline": (bare,)}.get(unknown, places)
    start = origin(known, complete=unknown != "earlier")
    found = audit_start(audit, table, {"a": grid(64, None if unknown == "grid" else "EPSG:32633")}, start)
    assert found.start_is_known is False
