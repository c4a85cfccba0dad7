from clairemap.artefacts.model_card import BandScale, CalibrationFit, ModelCard, TrainedOn, UnseenScenes
from clairemap.classes import LandCoverClass
from clairemap.report import model_texts
from clairemap.settings import NetworkSettings

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


FIT = CalibrationFit(ece_before=0.0512, ece_after=0.018, nll_before=0.61, nll_after=0.55, pixels=12345, tiles=4)


def test_calibration_has_errors_before_and_after():
    text = model_texts.calibration_text(CARD.model_copy(update={"temperature": 1.3125, "calibration": FIT}))
    assert "Confidences were calibrated: the logits are divided by the temperature T = 1.31. " in text
    assert "5.12 % before, 1.80 % after; " in text
    assert "0.610 and 0.550 nats" in text and "12\u202f345 labelled pixels in 4 tile(s)" in text
    alone = FIT.model_copy(update={"ece_after": None, "nll_after": None, "tiles": 1})
    text = model_texts.calibration_text(CARD.model_copy(update={"temperature": 1.3125, "calibration": alone}))
    assert "5.12 % before" in text and "cannot be estimated from so few tiles" in text


def test_calibration_says_what_is_known_of_other_scenes():
    def text(**changes: object) -> str:
        fit = FIT.model_copy(update=changes)
        return model_texts.calibration_text(CARD.model_copy(update={"calibration": fit}))

    assert "on scenes without training tiles is not known" in text()  # an older card
    same = text(scenes=1)
    assert "in 4 tile(s) of 1 scene(s)" in same and "for each half of the tiles" in same
    assert same.endswith("The temperature is from one scene: confidences elsewhere may be off by more.")
    several = text(scenes=4, unseen=UnseenScenes(scenes=3, ece_before=0.07, ece_mean=0.04, ece_worst=0.09))
    assert "cross-fitted: for each scene, the temperature is fitted on the others." in several
    assert several.endswith(
        "On 3 scenes without training tiles, each scored with the temperature of the other scenes, confidences were "
        "off by 4.0 percentage points on average and 9.0 at worst, without temperature by 7.0 on average."
    )
    one = text(scenes=2, unseen=UnseenScenes(scenes=1, ece_before=0.07, ece_mean=0.04, ece_worst=0.04))
    assert one.endswith(
        "On a scene without training tiles, scored with the temperature of the other scenes, confidences were off by "
        "4.0 percentage points, without temperature by 7.0."
    )
    assert "on scenes without training tiles is not known" in text(scenes=2)


def test_a_model_that_is_not_calibrated_says_so():
    assert "No temperature was fitted" in model_texts.calibration_text(CARD)


def test_facts_of_a_card_are_listed():
    assert {fact.name: fact.value for fact in model_texts.model_facts(CARD)} == {
        "Network": "network.size: tiny, network.fusion: window, network.sensors: fused",
        "Optical bands": "red, nir",
        "SAR bands": "VV (db)",
        "Trained on": "a, b",
        "Labelled training pixels": "12\u202f345",
        "Training pixels per class": "water 12\u202f345, snow none: the network cannot map it",
        "Training step of the weights": "20\u202f000",
        "Halo": "256 px: margin that is discarded around each window, as wide as the distance over which the network "
        "uses surrounding pixels; no margin if one window covers the scene",
        "Model trained by": "clairemap 1.2.3 (unknown)",
        "Weights (SHA-256)": "bf43d0998da68b82",
    }
