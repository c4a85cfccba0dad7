"""Texts on a model that another project trained, from its card and its origin."""

from collections.abc import Iterator
from typing import Any

from clairemap.artefacts.model_card import ModelCard
from clairemap.artefacts.origin import Origin, RegionAccuracy
from clairemap.report.numbers import count, points
from clairemap.text import shortened

MOST_SCENES = 12
"""Maximum number of scenes that a text lists."""

SPLIT_WORDS = {
    "train": "training tiles: the model was trained on them",
    "val": "validation tiles: they selected the training step",
    "test": "test tiles",
    "predict": "labelled tiles that were not used in training",
}


def model_name(card: ModelCard) -> str:
    """Return the name of a model from the network's size and the start of the weights' hash, unique to a training."""
    return f"clairemap-{card.network.size}-{card.weights_sha256[:12]}"


def origin_text(card: ModelCard, origin: Origin) -> str:
    """Return what to know about the model and its accuracy."""
    scenes = shortened(card.trained_on.scenes, MOST_SCENES)
    return (
        f"The model {model_name(card)} was trained in another project, on {count(card.trained_on.pixels)} labelled "
        f"pixels of {len(card.trained_on.scenes)} scene(s): {scenes}. {training_labels(origin)}{known_accuracy(origin)}"
    )


def training_labels(origin: Origin) -> str:
    """Return a sentence on the labels of the training with a blank after it; empty if they are ground truth."""
    product = origin.labels_product
    return f"The labels of its training are the land-cover product {product}, not ground truth. " if product else ""


def known_accuracy(origin: Origin) -> str:
    """Return the accuracy that the model's own project measured, in a sentence or two."""
    if not origin.accuracy:
        return "Its accuracy is not known."
    figures = "; ".join(accuracy_text(accuracy) for accuracy in origin.accuracy)
    return f"Its accuracy was measured there, not on this map: {figures}."


def accuracy_text(accuracy: RegionAccuracy) -> str:
    """Return the accuracy of a region in words."""
    if accuracy.miou is None or accuracy.oa is None:
        return f"region {accuracy.region}: none"
    return (
        f"region {accuracy.region}: mIoU {points(accuracy.miou)} %, overall accuracy {points(accuracy.oa)} % on "
        f"{count(accuracy.pixels)} labelled pixels in {count(accuracy.tiles)} tile(s) "
        f"({SPLIT_WORDS.get(accuracy.split, accuracy.split)}){_labels_note(accuracy)}"
    )


def stac_properties(card: ModelCard, origin: Origin) -> dict[str, Any]:
    """Return the fields of a map's STAC item on a model from another project."""
    found: dict[str, Any] = {
        "name": model_name(card),
        "weights_sha256": card.weights_sha256,
        "trained_in": "another project",
        "description": origin_text(card, origin),
        "accuracy": [_figures(accuracy) for accuracy in origin.accuracy],
    }
    return {"clairemap:given_model": found | ({"license": origin.licence} if origin.licence else {})}


def _labels_note(accuracy: RegionAccuracy) -> str:
    """Return what the labels are if they are not ground truth."""
    product = accuracy.labels_product
    return f", which is agreement with the product {product}, not with ground truth" if product else ""


def _figures(accuracy: RegionAccuracy) -> dict[str, Any]:
    found = accuracy.model_dump(mode="json", include={"region", "split", "miou", "oa", "pixels", "tiles"})
    return found | ({"labels_product": accuracy.labels_product} if accuracy.labels_product else {})


def training_dates(origin: Origin) -> Iterator[str]:
    """Yield the first and the last date of the training scenes; nothing without dates."""
    days = sorted(day for place in origin.places for day in place.dates)
    if days:
        yield str(days[0])
        if days[-1] != days[0]:
            yield str(days[-1])
