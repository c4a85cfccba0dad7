import json
from pathlib import Path

import pytest

from clairemap.errors import StoreError
from clairemap.metrics.class_support import read_training_px, unseen_classes


def test_classes_without_a_training_pixel_are_unseen():
    assert unseen_classes((3, 0, 1, 0)) == (1, 3)
    assert unseen_classes(()) == ()


def test_training_pixels_are_read_from_a_models_card(tmp_path: Path):
    card = tmp_path / "model.json"
    card.write_text(json.dumps({"trained_on": {"class_px": [3, 0]}}))
    assert read_training_px(card, 2) == (3, 0)
    with pytest.raises(StoreError, match="of 2 classes, the legend has 3; train again"):
        read_training_px(card, 3)


@pytest.mark.parametrize("text", ["{", "{}", '{"trained_on": {"pixels": 3}}', '{"trained_on": {"class_px": ["x"]}}'])
def test_a_card_that_says_nothing_of_them_is_refused(tmp_path: Path, text: str):
    card = tmp_path / "model.json"
    card.write_text(text)
    with pytest.raises(StoreError, match="no training pixels of each class on this card"):
        read_training_px(card, 2)
