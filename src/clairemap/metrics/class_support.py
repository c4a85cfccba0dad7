"""How many labelled pixels of each class trained the network: it can't know a class of which it saw none."""

from collections.abc import Sequence
from pathlib import Path

from clairemap.artefacts.metrics import ClassSupport, SupportLevel
from clairemap.artefacts.model_card import read_model_card
from clairemap.classes import Legend
from clairemap.errors import StoreError

FEW_TRAINING_PX = 1_000
"""Labelled training pixels below which a class counts as hardly learnt: a square of 32 pixels shows one or two places
only, whatever the network makes of them."""


def class_support(legend: Legend, training_px: Sequence[int]) -> tuple[ClassSupport, ...]:
    """Return all classes of the legend with their training pixels; nothing if these are not known (empty)."""
    if not training_px:
        return ()
    return tuple(
        ClassSupport(name=c.name, code=c.code, training_px=pixels, learning=_support_level(pixels))
        for c, pixels in zip(legend.classes, training_px, strict=True)
    )


def unseen_classes(training_px: Sequence[int]) -> tuple[int, ...]:
    """Return the indices of the classes without any training pixel."""
    return tuple(index for index, pixels in enumerate(training_px) if pixels == 0)


def read_training_px(card: Path, classes: int) -> tuple[int, ...]:
    """Return from a model's card (`model.json`) the labelled training pixels of each class, in their order.

    Raises:
        BundleError, MissingFileError: the card can't be read; see `model_card.read_model_card`.
        StoreError: the card is of another number of classes, or has no training pixels.
    """
    training_px = read_model_card(card).trained_on.class_px
    if len(training_px) != classes:
        raise StoreError(
            f"{card}: training pixels of {len(training_px)} classes, the legend has {classes}; train again"
        )
    return training_px


def _support_level(pixels: int) -> SupportLevel:
    if pixels == 0:
        return "unseen"
    return "few" if pixels < FEW_TRAINING_PX else "enough"
