from dataclasses import replace

import numpy as np
import pytest

from clairemap.artefacts.model_card import BandScale, ConfidenceRecord, ModelCard, Signatures
from clairemap.artefacts.statistics import ClassSignatures
from clairemap.explain.deviations import SensorValues
from clairemap.explain.reasons import MappedTile, tile_reasons

NAMES = ("water", "crops", "road")
SIDE = 20


def card(record: bool = True, signatures: bool = True) -> ModelCard:
    """Return a card with what reasons need; everything else is left out."""
    optical = ClassSignatures(
        ("red", "nir", "NDVI"), (5000, 5000, 10), ((400, 200, -0.3), (600, 3000, 0.66), (0, 0, 0)), ((50, 50, 0.1),) * 3
    )
    sar = ClassSignatures(("VV",), (5000, 5000, 10), ((-20,), (-10,), (0,)), ((2,), (2,), (2,)))
    return ModelCard.model_construct(
        optical_bands=BandScale(names=("red", "nir"), mean=(500, 1500), std=(100, 1000)),
        sar_bands=BandScale(names=("VV",), mean=(-12,), std=(5,)),
        signatures=Signatures(optical=optical, sar=sar) if signatures else None,
        confidence_record=ConfidenceRecord(
            px=((0, 0, 500, 0, 0, 0), (0, 0, 0, 0, 0, 100), (0,) * 6),
            correct=((0, 0, 290, 0, 0, 0), (0, 0, 0, 0, 0, 99), (0,) * 6),
        )
        if record
        else None,
    )


def made_tile(red: float = 400, nir: float = 200, vv: float = -20, **without: np.ndarray) -> MappedTile:
    """Return a tile: the upper half is water (65 %), the lower half crops (95 %)."""
    probability = np.zeros((3, SIDE, SIDE), np.uint8)
    probability[:, : SIDE // 2] = np.array([166, 25, 64])[:, None, None]
    probability[:, SIDE // 2 :] = np.array([6, 242, 7])[:, None, None]
    share = np.repeat(np.array([80, 40], np.uint8), SIDE // 2)[:, None].repeat(SIDE, 1)
    optical = np.full((2, SIDE, SIDE), 0.0)
    optical[:, : SIDE // 2] = np.array([red, nir])[:, None, None]
    optical[:, SIDE // 2 :] = np.array([600, 3000])[:, None, None]
    sar = np.full((1, SIDE, SIDE), -10.0)
    sar[:, : SIDE // 2] = vv
    usable = np.ones((SIDE, SIDE), bool)
    sensors = (
        SensorValues("optical", ("red", "nir"), "db", optical, usable),
        SensorValues("sar", ("VV",), "db", sar, usable),
    )
    return MappedTile(probability, share, sensors, without)


def water(tile: MappedTile, known: ModelCard):
    return next(c for c in tile_reasons(tile, known, NAMES).classes if c.name == "water")


def test_each_class_has_its_own_weight_runner_up_and_margin():
    found = tile_reasons(made_tile(), card(), NAMES)
    assert [c.name for c in found.classes] == ["water", "crops"]
    assert [c.px for c in found.classes] == [200, 200]
    assert [c.optical_share_pct for c in found.classes] == [80, 40]
    assert [c.runner_up for c in found.classes] == ["road", "road"]
    assert [c.margin_pct for c in found.classes] == [40, 92]
    assert (found.edge_pct, found.isolated_pct) == (10, 0)


def test_values_like_those_of_training_are_typical():
    found = water(made_tile(), card())
    assert found.compared
    assert found.unusual == ()


def test_unusual_values_are_named_with_their_deviation_the_largest_first():
    found = water(made_tile(red=505, vv=-11), card())
    assert [(d.quantity, d.sensor) for d in found.unusual] == [("VV", "sar"), ("red", "optical")]
    assert [d.deviations for d in found.unusual] == [4.5, 2.1]


def test_an_index_can_be_unusual_where_its_bands_are_not():
    found = water(made_tile(red=320, nir=280), card())
    assert [(d.quantity, d.deviations) for d in found.unusual] == [("NDVI", pytest.approx(2.3))]


@pytest.mark.parametrize(("seen_rows", "compared"), [(4, False), (5, True)])
def test_a_sensor_that_sees_less_than_half_of_a_class_is_not_compared(seen_rows: int, compared: bool):
    tile = made_tile(red=505)
    usable = np.ones((SIDE, SIDE), bool)
    usable[seen_rows : SIDE // 2] = False
    optical = replace(tile.sensors[0], usable=usable)
    found = water(replace(tile, sensors=(optical,)), card())
    assert found.compared == compared
    assert [d.quantity for d in found.unusual] == (["red"] if compared else [])


def test_without_signatures_nothing_is_compared():
    found = water(made_tile(red=9000), card(signatures=False))
    assert (found.compared, found.unusual) == (False, ())


def test_record_is_that_of_the_class_and_confidence():
    classes = tile_reasons(made_tile(), card(), NAMES).classes
    assert classes[0].record.model_dump() == {"from_pct": 60, "to_pct": 70, "right_pct": 58, "px": 500}
    assert classes[1].record is None  # 100 validation pixels are too few
    assert water(made_tile(), card(record=False)).record is None


def test_a_shifted_band_is_reported_for_the_tile():
    found = tile_reasons(made_tile(red=400 + 2000), card(), NAMES)
    assert [(d.quantity, d.deviations) for d in found.shifted] == [("red", 10.0)]
    assert tile_reasons(made_tile(), card(), NAMES).shifted == ()


def test_a_tile_that_is_unusual_but_typical_of_its_class_is_not_shifted():
    tile = made_tile()
    water_only = replace(tile, probability=np.repeat(tile.probability[:, :1], SIDE, axis=1))
    dark = [replace(values, values=values.values * 0 + values.values[:, :1, :1]) for values in tile.sensors]
    known = card()
    bright = BandScale(names=("red", "nir"), mean=(500, 3500), std=(100, 1000))
    known = known.model_copy(update={"optical_bands": bright})
    assert tile_reasons(replace(water_only, sensors=tuple(dark)), known, NAMES).shifted == ()
    unknown = known.model_copy(update={"signatures": None})
    found = tile_reasons(replace(water_only, sensors=tuple(dark)), unknown, NAMES).shifted
    assert [(d.quantity, d.deviations) for d in found] == [("nir", -3.3)]


def test_what_a_sensor_does_is_counted_in_the_pixels_of_the_class():
    sar_only = np.ones((SIDE, SIDE), np.uint8)
    sar_only[:3] = 0
    sar_only[3] = 2
    found = water(made_tile(optical=sar_only), card())
    assert [w.model_dump() for w in found.without] == [
        {"sensor": "optical", "changed_pct": 70, "instead": "crops", "instead_pct": 60}
    ]


def test_a_sensor_that_changes_nothing_names_no_class():
    same = np.repeat(np.array([0, 1], np.uint8), SIDE // 2)[:, None].repeat(SIDE, 1)
    found = water(made_tile(sar=same), card())
    assert [w.model_dump() for w in found.without] == [
        {"sensor": "sar", "changed_pct": 0, "instead": None, "instead_pct": 0}
    ]
