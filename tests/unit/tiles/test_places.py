from dataclasses import replace
from datetime import date

import pandas as pd
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from clairemap.artefacts.origin import TrainingPlace
from clairemap.tiles.places import audit_places, training_places


def grid(x0_px: int, crs: str | None = "EPSG:32633") -> GeoBox:
    return GeoBox((128, 256), Affine(10, 0, 500_000 + 10 * x0_px, 0, -10, 4_000_000), crs)


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
    found = audit_places(tiles("west", "test"), {"west": grid(64)}, places)
    assert found.method == "given" and found.test_scenes == ("west",) and found.not_compared == ()
    assert found.tiles == {"train": 1, "val": 1, "test": 1, "buffer": 0}
    assert found.held_out["test"].overlapping_share == pytest.approx(0.5, abs=0.01)
    assert found.held_out["test"].copied_tiles is None


def test_a_place_of_validation_is_not_leakage(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("a", "test"), {"a": grid(1000)}, places)
    assert found.held_out["test"].overlapping_share == 0
    assert found.held_out["test"].distance_px == pytest.approx(1000 - 128, abs=3)


@pytest.mark.parametrize("crs", [None, "EPSG:32633"])
def test_what_cannot_be_compared_is_not_reported_as_no_overlap(places: tuple[TrainingPlace, ...], crs: str | None):
    unplaced = [places[0].model_copy(update={"outline": None})]
    for known in ([], unplaced) if crs else (places,):
        found = audit_places(tiles("a", "test"), {"a": grid(0, crs)}, known)
        assert replace(found.held_out["test"], copies=()).overlapping_share is None
        assert found.not_compared == (("a",) if crs is None else ("west (training)",) if known else ())


def test_without_labelled_test_scenes_nothing_is_held_out(places: tuple[TrainingPlace, ...]):
    found = audit_places(tiles("a", "test").iloc[:0], {}, places)
    assert (found.held_out, found.test_scenes) == ({}, ())
