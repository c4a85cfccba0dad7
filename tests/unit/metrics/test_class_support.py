from pathlib import Path
from types import ModuleType

import pytest

from clairemap.artefacts.model_card import write_model_card
from clairemap.errors import BundleError, StoreError
from clairemap.metrics.class_support import read_training_px, unseen_classes


def test_classes_without_training_pixels_are_unseen():
    assert unseen_classes((3, 0, 1, 0)) == (1, 3)
    assert unseen_classes(()) == ()


def test_training_pixels_are_read_from_the_model_card(tmp_path: Path, made_artefacts: ModuleType):
    card = tmp_path / "model.json"
    write_model_card(card, made_artefacts.model_card((3, 0)))
    assert read_training_px(card, 2) == (3, 0)
    with pytest.raises(StoreError, match="of 2 classes, but the legend has 3; run train_model again"):
        read_training_px(card, 3)


@pytest.mark.parametrize("text", ["{", "{}", '{"trained_on": {"pixels": 3}}', '{"trained_on": {"class_px": ["x"]}}'])
def test_damaged_card_is_an_error(tmp_path: Path, text: str):
    card = tmp_path / "model.json"
    card.write_text(text)
    with pytest.raises(BundleError, match=r"model\.json: not a valid model card .*; delete it and run train_"):
        read_training_px(card, 2)
