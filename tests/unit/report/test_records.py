from pathlib import Path

import pytest

from clairemap.artefacts.model_card import BandScale, CalibrationFit, ModelCard, TrainedOn
from clairemap.artefacts.statistics import BandStatistics
from clairemap.classes import LandCoverClass
from clairemap.errors import StoreError
from clairemap.report import records
from clairemap.report.content import Stretch
from clairemap.settings import NetworkSettings

OPTICAL = BandStatistics(("red", "nir"), (5.0, 6.0), (1.0, 1.0), (1.0, 2.0), (11.0, 12.0))
CARD = ModelCard(
    stamp={"clairemap_version": "1.2.3"},
    network=NetworkSettings(size="tiny", fusion="window", sensors="fused"),
    classes=(LandCoverClass(code=1, name="water"), LandCoverClass(code=2, name="snow")),
    optical_bands=BandScale(names=("red", "nir"), mean=(1, 1), std=(1, 1)),
    sar_bands=BandScale(names=("VV",), mean=(-12,), std=(3,)),
    sar_scale="db",
    halo_px=256,
    halo_sigma=0,
    core_bytes_per_px=1,
    halo_bytes_per_px=1,
    trained_on=TrainedOn(scenes=("a", "b"), pixels=12345, class_px=(12345, 0)),
    best_step=20000,
    weights_sha256="bf43d0998da68b82aa40a732e04155eb",
)


def test_stretch_follows_the_names_of_the_bands():
    assert records.stretch(OPTICAL, ("nir", "red"), Path("s.json")) == Stretch((2.0, 1.0), (12.0, 11.0))
    with pytest.raises(StoreError, match=r"s\.json: has no statistics of the bands \['blue'\]"):
        records.stretch(OPTICAL, ("red", "blue"), Path("s.json"))


FIT = CalibrationFit(ece_before=0.0512, ece_after=0.018, nll_before=0.61, nll_after=0.55, pixels=12345, tiles=4)


def test_calibration_is_told_before_and_after():
    told = records.calibration_text(CARD.model_copy(update={"temperature": 1.3125, "calibration": FIT}))
    assert "5.12 % before, 1.80 % after dividing the logits by the temperature T = 1.31" in told
    assert "0.610 and 0.550 nats" in told and "12\u202f345 labelled pixels in 4 tile(s)" in told
    alone = FIT.model_copy(update={"ece_after": None, "nll_after": None, "tiles": 1})
    told = records.calibration_text(CARD.model_copy(update={"temperature": 1.3125, "calibration": alone}))
    assert "5.12 % before" in told and "too little to tell the error afterwards" in told


def test_a_model_that_is_not_calibrated_says_so():
    assert "No temperature was fitted" in records.calibration_text(CARD)


def test_what_a_card_holds_is_listed():
    assert {fact.name: fact.value for fact in records.model_facts(CARD)} == {
        "Network": "size tiny, fusion window, sensors fused",
        "Optical bands": "red, nir",
        "SAR bands": "VV (db)",
        "Trained on": "a, b",
        "Labelled training pixels": "12\u202f345",
        "Training pixels of each class": "water 12\u202f345, snow none: the network does not know it",
        "Step whose weights are used": "20\u202f000",
        "Halo that it needs": "256 px around each window where a scene takes several; none where it takes one",
        "Model trained by": "clairemap 1.2.3 (unknown)",
        "Weights (SHA-256)": "bf43d0998da68b82",
    }
