"""Labelled training pixels of each class, and which classes have too few or none."""

from collections.abc import Sequence
from pathlib import Path

from clairemap.artefacts.metrics import ClassSupport, SupportLevel
from clairemap.artefacts.model_card import ModelCard, read_model_card
from clairemap.classes import Legend
from clairemap.errors import StoreError

FEW_TRAINING_PX = 1_000
"""Labelled training pixels below which a class is rated "few": about one area of 32 x 32 pixels."""


def class_support(legend: Legend, training_px: Sequence[int]) -> tuple[ClassSupport, ...]:
    """Return all classes of the legend with their training pixels; empty if `training_px` is empty (unknown)."""
    if not training_px:
        return ()
    return tuple(
        ClassSupport(name=c.name, code=c.code, training_px=pixels, learning=_support_level(pixels))
        for c, pixels in zip(legend.classes, training_px, strict=True)
    )


def unseen_classes(training_px: Sequence[int]) -> tuple[int, ...]:
    """Return the indices of the classes without training pixels."""
    return tuple(index for index, pixels in enumerate(training_px) if pixels == 0)


def read_training_px(card: Path, classes: int) -> tuple[int, ...]:
    """Return the labelled training pixels of each class from a model card, with those of the trainings before.

    Errors as for `checked_card`.
    """
    return checked_card(card, classes).learnt_px


def checked_card(path: Path, classes: int) -> ModelCard:
    """Return a model card (`model.json`) with the training pixels of each class.

    Raises:
        BundleError, MissingFileError: the card cannot be read; see `model_card.read_model_card`.
        StoreError: the card has another number of classes, or no training pixels.
    """
    card = read_model_card(path)
    if len(card.trained_on.class_px) != classes:
        raise StoreError(
            f"{path}: training pixels of {len(card.trained_on.class_px)} classes, but the legend has {classes}; "
            "run train_model again"
        )
    return card


def _support_level(pixels: int) -> SupportLevel:
    if pixels == 0:
        return "unseen"
    return "few" if pixels < FEW_TRAINING_PX else "enough"
