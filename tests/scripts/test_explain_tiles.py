import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from clairemap.artefacts.explanations import TileFacts
from clairemap.artefacts.model_card import BandScale, ModelCard, write_model_card
from clairemap.explain.outline import Outline, Sentence
from clairemap.nets.bundle import build_network, save_bundle

Stage = Callable[[str], Callable[..., Any]]


@pytest.fixture(autouse=True)
def card(tmp_path: Path, made_artefacts: ModuleType, made_pairs: ModuleType) -> ModelCard:
    """Write and return the card of a model that knows the scenes' values."""
    settings = made_pairs.settings()
    found: ModelCard = made_artefacts.model_card((9000,) * len(settings.legend.classes)).model_copy(
        update={
            "optical_bands": BandScale(names=settings.sensors.optical.bands, mean=(300, 1300), std=(300, 1000)),
            "sar_bands": BandScale(names=settings.sensors.sar.bands, mean=(-14,), std=(7,)),
            "network": settings.network,
            "halo_px": 128,
        }
    )
    write_model_card(tmp_path / "model.json", found)
    return found


def explained(
    stage: Stage, scene: SimpleNamespace, folder: Path, legend_json: str, **options: Any
) -> list[dict[str, Any]]:
    explain = {"model": options.pop("model", None), "sensor_tiles": 0, "batch_size": 2, "dtype": "auto"}
    explain |= options.pop("chosen", {})
    settings = json.dumps({"legend": json.loads(legend_json)["legend"], "explain": explain})
    target = folder / "explanations.jsonl"
    stage("explain_tiles")(
        scene="lake",
        pair=scene.made.pair,
        probabilities=scene.probabilities,
        tiles=scene.made.tiles,
        explanations=target,
        cache=folder / "cache",
        weights=folder / "model.safetensors",
        card=folder / "model.json",
        settings=settings,
        **{"device": "cpu", **options},
    )
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_labelled_scene_is_explained_tile_by_tile(
    stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    made, scores = mapped_scene.made, tmp_path / "scores.parquet"
    stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, scores, legend_json)
    lines = explained(stage, mapped_scene, tmp_path, legend_json, scores=scores)
    assert [(line["scene"], line["row"], line["col"]) for line in lines] == [
        ("lake", 0, 0),
        ("lake", 0, 1),
        ("lake", 1, 0),
        ("lake", 1, 1),
    ]
    first = lines[0]
    assert first["source"] == "template"
    assert first["text"].startswith("Do not trust this tile: the map agrees with only ")
    assert "The whole mapped area of this tile is town." in first["text"]
    assert "Clouds or their shadows hide 6 % of this tile" in first["text"]
    assert " ".join(sentence["text"] for sentence in first["sentences"]) == first["text"]
    assert first["facts"]["confusions"][0] == {"truth": "water", "mapped": "town", "pct": 100}
    assert first["facts"]["mapped_pct"] == round(100 * (mapped_scene.mapped[:256, :256] != 255).mean())
    assert lines[3]["facts"]["oa_pct"] == 100
    assert lines[3]["facts"]["confidence_pct"] == 80
    assert lines[3]["facts"]["optical_share_pct"] == 60


def test_classes_without_training_pixels_are_named(
    stage: Stage, mapped_scene: SimpleNamespace, legend_json: str, tmp_path: Path, card: ModelCard
):
    trained_on = card.trained_on.model_copy(update={"class_px": (0, 9, 9)})
    write_model_card(tmp_path / "model.json", card.model_copy(update={"trained_on": trained_on}))
    made, scores = mapped_scene.made, tmp_path / "scores.parquet"
    stage("score_tiles")(made.pair, mapped_scene.probabilities, made.tiles, scores, legend_json)
    lines = explained(stage, mapped_scene, tmp_path, legend_json, scores=scores)
    unseen = [line for line in lines if "Do not rely on this tile for water" in line["text"]]
    assert unseen and all(line["facts"]["unseen"] == ["water"] for line in unseen)
    assert lines[0] in unseen


def test_clouds_are_unknown_without_a_mask(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    index = pd.read_parquet(unlabelled_scene.made.tiles)
    index["cloud_px"], index["cloud_unknown_px"] = 0, index["optical_px"]
    index.to_parquet(unlabelled_scene.made.tiles)
    for line in explained(stage, unlabelled_scene, tmp_path, legend_json):
        assert (line["facts"]["cloud_pct"], line["facts"]["levels"]["clouds"]) == (None, "unknown")
        wordings = "Whether clouds affect this tile is unknown", "no cloud mask, so clouds there are unknown."
        assert any(wording in line["text"] for wording in wordings)


def test_reasons_are_measured_on_each_tile(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path, card: ModelCard
):
    shifted = card.optical_bands.model_copy(update={"mean": (300, 13_000)})
    write_model_card(tmp_path / "model.json", card.model_copy(update={"optical_bands": shifted}))
    for line in explained(stage, unlabelled_scene, tmp_path, legend_json):
        reasons = line["facts"]["reasons"]
        assert [each["quantity"] for each in reasons["shifted"]] == ["nir"]
        assert "nir values are" in line["sentences"][0]["text"]
        assert reasons["classes"][0]["px"] == line["facts"]["classes"][0]["mapped_px"]
        assert all(each["without"] == [] for each in reasons["classes"])


def test_least_confident_tiles_are_mapped_without_each_sensor(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path, card: ModelCard
):
    torch.manual_seed(0)
    save_bundle(build_network(card), card, tmp_path / "model.safetensors", tmp_path / "model.json")
    lines = explained(stage, unlabelled_scene, tmp_path, legend_json, chosen={"sensor_tiles": 3})
    compared = [line for line in lines if any(each["without"] for each in line["facts"]["reasons"]["classes"])]
    assert len(compared) == 3
    for line in compared:
        for each in line["facts"]["reasons"]["classes"]:
            assert [change["sensor"] for change in each["without"]] == ["optical", "sar"]
    # The network is untrained: it maps other classes than the made map.
    assert any("Without " in line["text"] or " keeps " in line["text"] for line in compared)


def test_an_unlabelled_scene_is_explained_without_accuracy(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    lines = explained(stage, unlabelled_scene, tmp_path, legend_json)
    assert len(lines) == 4
    assert all(line["facts"]["oa_pct"] is None for line in lines)
    assert all("not measured, since it has no labels" in line["text"] for line in lines)
    for line in lines:
        assert TileFacts.model_validate(line["facts"]).record() == line["facts"]


def test_equal_inputs_give_equal_bytes(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path
):
    explained(stage, unlabelled_scene, tmp_path, legend_json)
    first = (tmp_path / "explanations.jsonl").read_bytes()
    explained(stage, unlabelled_scene, tmp_path, legend_json)
    assert (tmp_path / "explanations.jsonl").read_bytes() == first


class FakeModel:
    """Replaces the model: the last wording of what must be said."""

    asked = 0

    def __init__(self, model: str, settings: object, device: str) -> None:
        self.identity = f"{model} {settings} {device}"

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        for place, outline in enumerate(outlines):
            FakeModel.asked += 1
            yield place, [Sentence(topic, topic.wordings[-1]) for topic in outline.topics if topic.required]


def test_texts_of_a_model_are_kept(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("clairemap.explain.language_model.LanguageModel", FakeModel)
    lines = explained(stage, unlabelled_scene, tmp_path, legend_json, model="fake")
    assert [line["source"] for line in lines] == ["model", "model", "model", "model"]
    assert "This tile shows a single class, town." in lines[0]["text"]
    asked = FakeModel.asked
    assert explained(stage, unlabelled_scene, tmp_path, legend_json, model="fake") == lines
    assert FakeModel.asked == asked


def test_the_model_writes_the_chosen_tiles_only(
    stage: Stage, unlabelled_scene: SimpleNamespace, legend_json: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("clairemap.explain.language_model.LanguageModel", FakeModel)
    chosen = {"tiles": "sample", "max_tiles": 2}
    lines = explained(stage, unlabelled_scene, tmp_path, legend_json, model="fake", chosen=chosen)
    assert [line["source"] for line in lines] == ["model", "template", "model", "template"]
