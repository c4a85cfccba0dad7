"""Records of results kept in spite of a change of the code."""

from pathlib import Path
from types import ModuleType

import pytest

from clairemap.artefacts.acceptance import (
    Acceptance,
    AcceptedResult,
    KeptResult,
    StageAcceptances,
    acceptance_file,
    acceptances_of,
    kept_results,
    read_acceptances,
    write_acceptances,
)
from clairemap.artefacts.model_card import read_model_card, write_model_card
from clairemap.errors import StoreError
from clairemap.provenance import file_digest


def accept(work: Path, stage: str, *results: AcceptedResult) -> Path:
    path = acceptance_file(work, stage)
    acceptance = Acceptance(date="2026-11-27", accepted_under="0.4.0 (def)", changed=None, results=results)
    write_acceptances(path, StageAcceptances(stage=stage, acceptances=(acceptance,)))
    return path


def result(path: Path, scene: str | None = None) -> AcceptedResult:
    path.write_text(f"content of {path.name}")
    return AcceptedResult(scene=scene, made_by="0.3.1 (abc)", file=str(path), sha256=file_digest(path))


def test_kept_results_are_those_of_the_scenes_and_of_all_scenes(tmp_path: Path):
    model = accept(tmp_path, "train_model", result(tmp_path / "model.json"))
    scenes = accept(tmp_path, "tile_scene", *(result(tmp_path / f"{name}.json", name) for name in ("west", "east")))
    found = kept_results([model, scenes], ["west", "middle"])
    common = {"made_by": "0.3.1 (abc)", "accepted_under": "0.4.0 (def)", "date": "2026-11-27"}
    assert found == (
        KeptResult(stage="train_model", scenes=(), **common),
        KeptResult(stage="tile_scene", scenes=("west",), **common),
    )
    assert found[0].text == "made by 0.3.1 (abc), accepted under 0.4.0 (def) on 2026-11-27"


def test_a_new_result_is_not_an_accepted_one(tmp_path: Path):
    path = accept(tmp_path, "train_model", result(tmp_path / "model.json"))
    (tmp_path / "model.json").write_text("trained again")
    assert kept_results([path], ()) == ()
    (tmp_path / "model.json").unlink()
    assert kept_results([path], ()) == ()


def test_a_stage_without_a_record_has_no_acceptances(tmp_path: Path):
    assert acceptances_of(tmp_path, "train_model") == StageAcceptances(stage="train_model")
    accept(tmp_path, "train_model", result(tmp_path / "model.json"))
    assert len(acceptances_of(tmp_path, "train_model").acceptances) == 1


def test_a_damaged_record_is_an_error(tmp_path: Path):
    path = tmp_path / "train_model.json"
    path.write_text("{}")
    with pytest.raises(StoreError, match="record of accepted results"):
        read_acceptances(path)


def test_a_card_without_accepted_results_does_not_name_them(tmp_path: Path, made_artefacts: ModuleType):
    card = made_artefacts.model_card()
    write_model_card(tmp_path / "model.json", card)
    assert "accepted" not in (tmp_path / "model.json").read_text()
    kept = KeptResult(stage="train_model", made_by="a", accepted_under="b", date="2026-11-27", scenes=())
    write_model_card(tmp_path / "copy.json", card.model_copy(update={"accepted": (kept,)}))
    assert read_model_card(tmp_path / "copy.json").accepted == (kept,)
