import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clairemap.artefacts.model_card import write_model_card
from clairemap.errors import BundleError
from clairemap.provenance import file_digest

Stage = Callable[[str], Callable[..., Any]]
RADIOMETRY = {"scenes": [{"scene": "a", "sar_scale": "db", "optical": None, "sar": None}]}


@pytest.fixture
def given(tmp_path: Path, made_artefacts: ModuleType) -> Path:
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    card = made_artefacts.model_card()
    card = card.model_copy(update={"weights_sha256": file_digest(folder / "model.safetensors")})
    write_model_card(folder / "model.json", card)
    (folder / "radiometry.json").write_text(json.dumps(RADIOMETRY))
    return folder


def test_weights_and_card_are_copied_as_they_are(stage: Stage, given: Path, tmp_path: Path):
    stage("copy_model")(given=given, model=tmp_path / "model")
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "model" / name).read_bytes() == (given / name).read_bytes()


def test_training_scenes_get_names_that_no_scene_of_a_sheet_has(stage: Stage, given: Path, tmp_path: Path):
    stage("copy_model")(given=given, model=tmp_path / "model")
    found = json.loads((tmp_path / "model" / "radiometry.json").read_text())
    assert [scene["scene"] for scene in found["scenes"]] == ["a (training)"]


def test_what_is_missing_is_warned_of(stage: Stage, given: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (given / "radiometry.json").unlink()
    with caplog.at_level(logging.WARNING):
        stage("copy_model")(given=given, model=tmp_path / "model")
    assert "origin.json: no such file: colours, places and accuracy of the model are not known" in caplog.text
    assert "radiometry.json: no such file: scenes cannot be compared" in caplog.text
    assert json.loads((tmp_path / "model" / "radiometry.json").read_text()) == {"scenes": []}
    assert json.loads((tmp_path / "model" / "origin.json").read_text())["places"] == []
    assert json.loads((tmp_path / "model" / "statistics.json").read_text())["optical"]["bands"] == ["red", "nir"]


def test_weights_of_another_model_are_refused(stage: Stage, given: Path, tmp_path: Path):
    (given / "model.safetensors").write_bytes(b"others")
    with pytest.raises(BundleError, match=r"model\.safetensors: SHA-256 .* does not match .* in .*model\.json"):
        stage("copy_model")(given=given, model=tmp_path / "model")
    assert not (tmp_path / "model" / "model.safetensors").exists()


@pytest.mark.parametrize("name", ["radiometry.json", "statistics.json"])
def test_damaged_files_are_named(stage: Stage, given: Path, tmp_path: Path, name: str):
    (given / name).write_text("{")
    with pytest.raises(BundleError, match=rf"{name}: damaged, or of another version .*get the model's folder again"):
        stage("copy_model")(given=given, model=tmp_path / "model")
