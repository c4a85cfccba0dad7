"""What the page says about the model, and the values between which bands are shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from clairemap.artefacts.model_card import ModelCard
from clairemap.artefacts.statistics import BandStatistics
from clairemap.errors import StoreError
from clairemap.report.content import Fact, Stretch
from clairemap.report.numbers import count


def stretch(statistics: BandStatistics, bands: Sequence[str], source: Path) -> Stretch:
    """Return the values between which a sensor's bands are shown.

    Raises:
        StoreError: there are no statistics of one of the bands; the text names the file `source`.
    """
    if missing := [band for band in bands if band not in statistics.bands]:
        raise StoreError(
            f"{source}: has no statistics of the bands {missing}, only of {list(statistics.bands)}; delete it and run "
            "fit_statistics again"
        )
    positions = [statistics.bands.index(band) for band in bands]
    return Stretch(
        tuple(statistics.p02[position] for position in positions),
        tuple(statistics.p98[position] for position in positions),
    )


def model_facts(card: ModelCard) -> tuple[Fact, ...]:
    """Return what the model's card says, in words."""
    network, trained = card.network, card.trained_on
    found = {
        "Network": f"size {network.size}, fusion {network.fusion}, sensors {network.sensors}",
        "Optical bands": ", ".join(card.optical_bands.names),
        "SAR bands": f"{', '.join(card.sar_bands.names)} ({card.sar_scale})",
        "Trained on": ", ".join(trained.scenes),
        "Labelled training pixels": count(trained.pixels),
        "Training pixels of each class": _training_px(card),
        "Step whose weights are used": count(card.best_step),
        "Halo that it needs": (
            f"{card.halo_px} px around each window where a scene takes several; none where it takes one"
        ),
        "Model trained by": version_text(card.stamp),
        "Weights (SHA-256)": card.weights_sha256[:16],
    }
    return tuple(Fact(name, value) for name, value in found.items() if value)


def calibration_text(card: ModelCard) -> str:
    """Return what the model's card says of its temperature."""
    divided = f"dividing the logits by the temperature T = {card.temperature:.3g}"
    fit = card.calibration
    if fit is None:
        return (
            "No temperature was fitted (T = 1): there were no validation tiles with labels, or training.calibrate is "
            "false. Confidences may be too high or too low."
        )
    before = f"Expected calibration error on the validation tiles: {100 * fit.ece_before:.2f} % before"
    basis = f"{count(fit.pixels)} labelled pixels in {count(fit.tiles)} tile(s)"
    if fit.ece_after is None or fit.nll_after is None:
        return f"{before} {divided}, from {basis}. That is too little to tell the error afterwards."
    return (
        f"{before}, {100 * fit.ece_after:.2f} % after {divided}; negative log likelihood {fit.nll_before:.3f} "
        f"and {fit.nll_after:.3f} nats for each pixel. From {basis}; the figures after it are cross-fitted: each "
        "half of the tiles with the temperature of the other half."
    )


def _training_px(card: ModelCard) -> str:
    return ", ".join(
        f"{known.name} {count(px) if px else 'none: the network does not know it'}"
        for known, px in zip(card.classes, card.trained_on.class_px, strict=False)
    )


def version_text(stamp: Mapping[str, str]) -> str:
    """Return the version and commit that a stamp names."""
    return f"clairemap {stamp.get('clairemap_version', '?')} ({stamp.get('clairemap_commit', 'unknown')})"
