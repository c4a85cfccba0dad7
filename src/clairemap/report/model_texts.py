"""Texts of the page on the model, from its card."""

from collections.abc import Iterable, Iterator, Mapping

from clairemap.artefacts.acceptance import KeptResult
from clairemap.artefacts.model_card import CalibrationFit, ModelCard
from clairemap.artefacts.origin import Origin
from clairemap.report.content import Fact
from clairemap.report.given_model import accuracy_text, model_name, training_dates
from clairemap.report.numbers import count, points
from clairemap.report.page_data import library_name
from clairemap.text import shortened

EARLIER = ", with the trainings before"
"""After the name of pixels that include those of the model to start from."""

MOST_SCENES = 5
"""Maximum number of scenes that a fact lists."""


def model_facts(card: ModelCard) -> tuple[Fact, ...]:
    """Return the facts of the model's card that the page lists."""
    network, trained = card.network, card.trained_on
    found = {
        "Network": f"network.size: {network.size}, network.fusion: {network.fusion}, "
        f"network.sensors: {network.sensors}",
        "Optical bands": ", ".join(card.optical_bands.names) + (f" ({card.optical_unit})" if card.optical_unit else ""),
        "SAR bands": f"{', '.join(card.sar_bands.names)} ({card.sar_scale})",
        "Normalisation": "each scene by its own mean and standard deviation" if card.normalisation == "scene" else "",
        "Trained on": ", ".join(trained.scenes),
        "Labelled training pixels": count(trained.pixels),
        f"Training pixels per class{EARLIER if card.has_earlier_px else ''}": _training_px(card),
        "Training step of the weights": count(card.best_step),
        "Halo": f"{card.halo_px} px: margin that is discarded around each window, as wide as the distance over which "
        "the network uses surrounding pixels; no margin if one window covers the scene",
        "Model trained by": version_text(card.stamp),
        "Weights (SHA-256)": card.weights_sha256[:16],
        "Fine-tuned from": _parent_text(card),
    }
    return tuple(Fact(name, value) for name, value in found.items() if value)


def software_facts(card: ModelCard) -> Iterator[Fact]:
    """Yield the versions of the software that trained the model, and of the library in the page."""
    if card.software:
        yield Fact("Software in training", ", ".join(f"{name} {version}" for name, version in card.software.items()))
    yield Fact("Map on this page", library_name())


def _parent_text(card: ModelCard) -> str:
    parent = card.parent
    if parent is None:
        return ""
    return (
        f"weights {parent.weights_sha256[:16]}; classes kept: {', '.join(parent.kept_classes) or 'none'}; new "
        f"classes: {', '.join(parent.new_classes) or 'none'}; band statistics of the "
        f"{'model' if parent.statistics_from == 'model' else 'new scenes'}"
    )


def origin_facts(card: ModelCard, origin: Origin) -> Iterator[Fact]:
    """Yield the facts on a model from another project: name, hash, accuracy there, dates, licence."""
    yield Fact("Model from elsewhere", f"{model_name(card)}, SHA-256 of the weights {card.weights_sha256}")
    for accuracy in origin.accuracy:
        yield Fact("Accuracy in the model's project", accuracy_text(accuracy))
    if days := " to ".join(training_dates(origin)):
        yield Fact("Dates of the training scenes", days)
    yield Fact("Licence of the model", origin.licence or "not stated")


def accepted_facts(kept: Iterable[KeptResult]) -> tuple[Fact, ...]:
    """Return the facts on results that were kept in spite of a change of the code."""
    return tuple(Fact(f"Accepted: {_accepted_name(result)}", f"clairemap: {result.text}") for result in kept)


def _accepted_name(result: KeptResult) -> str:
    return f"{result.stage} of {shortened(result.scenes, MOST_SCENES)}" if result.scenes else result.stage


def calibration_text(card: ModelCard) -> str:
    """Return the text on the model's temperature scaling."""
    fit = card.calibration
    if fit is None:
        return (
            "No temperature was fitted (T = 1): no validation tiles have labels, or training.calibrate is false. "
            "Confidences may be too high or too low."
        )
    before = (
        f"Confidences were calibrated: the logits are divided by the temperature T = {card.temperature:.3g}. Mean "
        "difference between confidence and accuracy on the validation tiles (expected calibration error): "
        f"{100 * fit.ece_before:.2f} % before"
    )
    scenes = "" if fit.scenes is None else f" of {count(fit.scenes)} scene(s)"
    basis = f"{count(fit.pixels)} labelled pixels in {count(fit.tiles)} tile(s){scenes}"
    if fit.ece_after is None or fit.nll_after is None:
        return f"{before}, from {basis}. The error afterwards cannot be estimated from so few tiles. {_elsewhere(fit)}"
    parts = "each scene, the temperature is fitted on the others"
    if fit.scenes is None or fit.scenes == 1:
        parts = "each half of the tiles, the temperature is fitted on the other half"
    return (
        f"{before}, {100 * fit.ece_after:.2f} % after; negative log likelihood {fit.nll_before:.3f} "
        f"and {fit.nll_after:.3f} nats per pixel. From {basis}. The figures after calibration are cross-fitted: for "
        f"{parts}. {_elsewhere(fit)}"
    )


def _elsewhere(fit: CalibrationFit) -> str:
    """Return the sentence on confidences on other scenes."""
    unseen = fit.unseen
    if unseen is not None:
        before, mean, worst = map(points, (unseen.ece_before, unseen.ece_mean, unseen.ece_worst))
        if unseen.scenes == 1:
            return (
                "On a scene without training tiles, scored with the temperature of the other scenes, confidences were "
                f"off by {mean} percentage points, without temperature by {before}."
            )
        return (
            f"On {count(unseen.scenes)} scenes without training tiles, each scored with the temperature of the other "
            f"scenes, confidences were off by {mean} percentage points on average and {worst} at worst, without "
            f"temperature by {before} on average."
        )
    if fit.scenes == 1:
        return "The temperature is from one scene: confidences elsewhere may be off by more."
    return "How far confidences are off on scenes without training tiles is not known; it may be more."


def _training_px(card: ModelCard) -> str:
    return ", ".join(
        f"{c.name} {count(px) if px else 'none: the network cannot map it'}"
        for c, px in zip(card.classes, card.learnt_px, strict=False)
    )


def version_text(stamp: Mapping[str, str]) -> str:
    """Return version and commit of a stamp."""
    return f"clairemap {stamp.get('clairemap_version', '?')} ({stamp.get('clairemap_commit', 'unknown')})"
