import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from clairemap.artefacts.model_card import ModelCard, read_model_card, write_model_card
from clairemap.errors import BundleError, MissingFileError


@pytest.mark.parametrize(
    "changed",
    [
        {"halo_px": 100},
        {"temperature": 0},
        {"sar_scale": "linear_power"},
        {"unheard_of": 1},
        {"optical_bands": {"names": ("red",), "mean": (1, 2), "std": (1,)}},
        {"optical_bands": {"names": ("red",), "mean": (1,), "std": (0,)}},
        {"optical_bands": {"names": ("red",), "mean": (float("nan"),), "std": (1,)}},
    ],
)
def test_invalid_values_are_rejected(changed: dict[str, Any], made_artefacts: ModuleType):
    with pytest.raises(ValidationError):
        ModelCard.model_validate({**dict(made_artefacts.model_card()), **changed})


def test_round_trip(tmp_path: Path, made_artefacts: ModuleType):
    card = made_artefacts.model_card((5, 0, 7))
    write_model_card(tmp_path / "model.json", card)
    assert read_model_card(tmp_path / "model.json") == card


def test_names_follow_the_legend(made_artefacts: ModuleType):
    card = made_artefacts.model_card((5, 0, 7))
    card = card.model_copy(update={"trained_on": card.trained_on.model_copy(update={"unseen_classes": ("class 2",)})})
    assert card.named(card.legend) == card
    new = card.legend.model_copy(
        update={"classes": tuple(c.model_copy(update={"name": f"new {c.code}"}) for c in card.classes)}
    )
    renamed = card.named(new)
    assert renamed.legend.names == ("new 1", "new 2", "new 3") and renamed.trained_on.unseen_classes == ("new 2",)
    assert renamed.model_copy(update={"classes": card.classes, "trained_on": card.trained_on}) == card


def test_another_legend_has_no_names_for_the_card(made_artefacts: ModuleType):
    card = made_artefacts.model_card((5, 0, 7))
    shorter = card.legend.model_copy(update={"classes": card.classes[:2]})
    with pytest.raises(BundleError, match=r"class codes \[1, 2, 3\], but the legend has \[1, 2\]"):
        card.named(shorter)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"network": {"size": "tiny"}}'])
def test_damaged_card_is_an_error(tmp_path: Path, text: str):
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(BundleError, match=r"model\.json: not a valid model card .*; delete it and run train_"):
        read_model_card(tmp_path / "model.json")


def test_a_card_of_an_earlier_network_is_rejected(made_artefacts: ModuleType, tmp_path: Path):
    card = made_artefacts.model_card((5, 0, 7)).model_dump(mode="json")
    (tmp_path / "model.json").write_text(json.dumps({**card, "format": 1}))
    with pytest.raises(BundleError, match=r"format 1, written by clairemap .*, but this version reads format 2"):
        read_model_card(tmp_path / "model.json")


def test_missing_card_is_an_error(tmp_path: Path):
    with pytest.raises(MissingFileError, match=r"gone\.json: no such file; run train_model first"):
        read_model_card(tmp_path / "gone.json")
