import copy
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from clairemap.errors import ExplainerError, SettingsError
from clairemap.explain.cache import CachedWriter
from clairemap.explain.explainer import explain
from clairemap.explain.language_model import LanguageModel, _inert, _tokens
from clairemap.explain.outline import Outline, Topic
from clairemap.explain.tile_topics import tile_topics
from clairemap.settings import ExplainSettings


def settings(batch_size: int = 4) -> ExplainSettings:
    return ExplainSettings(batch_size=batch_size, dtype="float32")


@pytest.fixture(scope="module")
def tiles(made: ModuleType) -> list[Any]:
    return [made.random_counts(np.random.default_rng(seed), made.LEGENDS[seed % 6]) for seed in range(12)]


@pytest.fixture(scope="module")
def outlines(made: ModuleType, tiles: list[Any]) -> list[Outline]:
    return [Outline(tile_topics(made.facts_of(tile))) for tile in tiles]


def texts(model: LanguageModel, outlines: list[Outline]) -> list[str]:
    found = dict(model.write(outlines))
    return [" ".join(sentence.text for sentence in found[place]) for place in range(len(outlines))]


def test_texts_are_true_whatever_the_model_chooses(
    make_phi: Callable[..., Path], made: ModuleType, tiles: list[Any], outlines: list[Outline]
):
    for seed in (1, 2):
        model = LanguageModel(str(make_phi(seed=seed)), settings(5), "cpu")
        for text, tile, outline in zip(texts(model, outlines), tiles, outlines, strict=True):
            assert made.faults(text, tile) == []
            for topic in outline.topics:
                assert sum(text.count(wording) for wording in topic.wordings) <= 1 + (" " not in topic.key)
                assert not topic.required or any(wording in text for wording in topic.wordings)


def test_batches_give_the_same_texts_as_one_by_one(tiny_phi: Path, outlines: list[Outline]):
    batched = texts(LanguageModel(str(tiny_phi), settings(len(outlines)), "cpu"), outlines)
    single = LanguageModel(str(tiny_phi), settings(1), "cpu")
    assert [texts(single, [outline])[0] for outline in outlines] == batched
    assert texts(single, outlines) == texts(LanguageModel(str(tiny_phi), settings(5), "cpu"), outlines) == batched


def test_batches_give_the_same_texts_with_sliding_windows(make_phi: Callable[..., Path], outlines: list[Outline]):
    folder = str(make_phi(window=2047))
    batched = texts(LanguageModel(folder, settings(6), "cpu"), outlines[:6])
    single = LanguageModel(folder, settings(1), "cpu")
    assert [texts(single, [outline])[0] for outline in outlines[:6]] == batched


def test_sentences_are_spelled_after_each_other_also_with_sentencepiece(tiny_phi: Path):
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers
    from transformers import PreTrainedTokenizerFast

    pieces = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    pieces.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    pieces.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=99, special_tokens=["<unk>", "<s>"], show_progress=False)
    pieces.train_from_iterator(["The map", "covers it.", "Most of it is forest."] * 9, trainer)
    phrases = ["The map covers it.", " Most of it is forest.", " The map covers it."]
    for tokenizer in (
        PreTrainedTokenizerFast(tokenizer_object=pieces),
        LanguageModel(str(tiny_phi), settings())._load()[0],
    ):
        tokens = [token for phrase in phrases for token in _tokens(tokenizer, phrase)]
        assert tokenizer.decode(tokens) == "".join(phrases)


def test_the_model_decides(make_phi: Callable[..., Path], outlines: list[Outline]):
    found = [texts(LanguageModel(str(make_phi(seed=seed)), settings(), "cpu"), outlines[:3]) for seed in (1, 2, 3)]
    assert len({tuple(one) for one in found}) == 3


def test_tokens_without_a_choice_need_no_pass(tiny_phi: Path):
    one_way = Outline(tuple(Topic(f"t{place}", "lead", (f"This is fixed {place}.",), ()) for place in range(1)))
    model = LanguageModel(str(tiny_phi), settings(), "cpu")
    assert texts(model, [one_way]) == ["This is fixed 0."]
    assert model.passes == 1  # the start of the prompt
    choice = Outline((Topic("t", "lead", ("Here it is forest.", "Here it is water."), ()),))
    texts(model, [choice])
    assert model.passes <= 4


def test_a_row_is_dropped_when_its_text_is_complete(tiny_phi: Path, outlines: list[Outline]):
    short = Outline((Topic("t", "lead", ("Here it is forest.", "Here it is water."), ()),))
    alone, together = (LanguageModel(str(tiny_phi), settings(2), "cpu") for _ in range(2))
    expected = texts(alone, [short]) + texts(alone, [outlines[0]])
    assert texts(together, [short, outlines[0]]) == expected
    assert together.passes == alone.passes - 1  # one fewer start of all prompts


def test_class_names_reach_no_control_token(tiny_phi: Path):
    tokenizer, _ = LanguageModel(str(tiny_phi), settings(), "cpu")._load()
    control = set(tokenizer.get_added_vocab().values())
    assert control
    for name in ("<|end|>", "<|user|> hi <|assistant|>", "<s><unk>"):
        assert not control & set(_tokens(tokenizer, f" It is {name}."))
        assert not control & set(tokenizer(_inert(tokenizer, name))["input_ids"])


def test_a_name_that_a_tokenizer_cannot_spell_is_written_as_it_is(tiny_phi: Path, made: ModuleType, tmp_path: Path):
    content = json.loads((tiny_phi / "tokenizer.json").read_text())
    kept = {
        piece: at
        for piece, at in content["model"]["vocab"].items()
        if not any(ord(c) > 126 for c in piece.replace("Ġ", ""))
    }
    content["model"]["vocab"] = kept
    content["model"]["merges"] = [m for m in content["model"]["merges"] if {*m, "".join(m)} <= set(kept)]
    folder = copied(tiny_phi, tmp_path)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    tile = made.random_counts(np.random.default_rng(3), ("Wäßer 🌊", "水"))
    text = texts(LanguageModel(str(folder), settings(), "cpu"), [Outline(tile_topics(made.facts_of(tile)))])[0]
    assert made.faults(text, tile) == []


def copied(model: Path, folder: Path) -> Path:
    for file in model.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_texts_are_cached(tiny_phi: Path, made: ModuleType, tiles: list[Any], tmp_path: Path):
    facts = [made.facts_of(tile) for tile in tiles]
    first = LanguageModel(str(tiny_phi), settings(), "cpu")
    found = explain(facts, CachedWriter(first, tmp_path))
    again = LanguageModel(str(tiny_phi), settings(), "cpu")
    assert explain(facts, CachedWriter(again, tmp_path)) == found
    assert (again.passes, again._loaded) == (0, None)
    changed = [facts[0].model_copy(update={"optical_share_pct": 41, "sensor": "both"}), *facts[1:]]
    one = LanguageModel(str(tiny_phi), settings(), "cpu")
    explain(changed, CachedWriter(one, tmp_path))
    alone = LanguageModel(str(tiny_phi), settings(), "cpu")
    explain(changed[:1], alone)
    assert one.passes == alone.passes > 0


def test_identity_depends_on_weights_and_data_type(
    tiny_phi: Path, make_phi: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    same = LanguageModel(str(tiny_phi), settings(1), "cpu").identity
    assert LanguageModel(str(tiny_phi), settings(8), "cpu").identity == same
    assert LanguageModel(str(make_phi(seed=1)), settings(), "cpu").identity != same

    def identity(device: str, dtype: str) -> str:
        return LanguageModel(str(tiny_phi), ExplainSettings(dtype=dtype), device).identity

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for amx in (True, False):
        monkeypatch.setattr("torch.cpu.get_capabilities", lambda amx=amx: {"amx_bf16": amx}, raising=False)
        assert identity("cpu", "auto") == identity("cpu", "bfloat16" if amx else "float32")
    assert identity("cpu", "float32") == identity("cuda", "float32")
    assert identity("cuda", "auto") == identity("cuda", "bfloat16") != identity("cpu", "float32")


def test_no_texts_load_no_model(tmp_path: Path):
    assert list(LanguageModel(str(tmp_path), settings(), "cpu").write([])) == []


@pytest.mark.parametrize("kept", [set(), {"config.json"}, {"config.json", "model.safetensors"}])
def test_a_folder_that_lacks_files_is_named(tiny_phi: Path, outlines: list[Outline], tmp_path: Path, kept: set[str]):
    for name in kept:
        (tmp_path / name).write_bytes((tiny_phi / name).read_bytes())
    with pytest.raises(ExplainerError, match=r"cannot be loaded .* set explain\.model to a folder"):
        texts(LanguageModel(str(tmp_path), settings(), "cpu"), outlines)


def test_a_model_that_is_not_causal_is_named(tiny_phi: Path, outlines: list[Outline], tmp_path: Path):
    folder = copied(tiny_phi, tmp_path)
    (folder / "config.json").write_text('{"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}')
    with pytest.raises(ExplainerError, match="cannot be loaded"):
        texts(LanguageModel(str(folder), settings(), "cpu"), outlines)


def test_damaged_weights_are_named(make_phi: Callable[..., Path], outlines: list[Outline]):
    folder = make_phi()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ExplainerError, match="cannot be loaded"):
        texts(LanguageModel(str(folder), settings(), "cpu"), outlines)


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExplainerError, match="no-such/model-anywhere: the language model cannot be loaded"):
        LanguageModel("no-such/model-anywhere", settings(), "cpu")


def test_a_model_without_chat_template_is_rejected(make_phi: Callable[..., Path], outlines: list[Outline]):
    with pytest.raises(ExplainerError, match="no chat template"):
        texts(LanguageModel(str(make_phi(chat_template=None)), settings(), "cpu"), outlines)


@pytest.mark.parametrize(
    "template",
    [
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{% for message in messages %}<|user|>{{ message['content'] }}<|end|>{% endfor %}<|assistant|>",
        "{% for message in messages %}{% if message['role'] == 'user' %}<|user|>{{ message['content'] }}<|end|>"
        "{% endif %}{% endfor %}<|assistant|>",
    ],
)
def test_templates_without_system_role_get_the_rules_with_the_facts(
    make_phi: Callable[..., Path], made: ModuleType, tiles: list[Any], outlines: list[Outline], template: str
):
    found = texts(LanguageModel(str(make_phi(chat_template=template)), settings(), "cpu"), outlines)
    assert all(made.faults(text, tile) == [] for text, tile in zip(found, tiles, strict=True))


def test_a_template_that_cannot_be_used_is_named(make_phi: Callable[..., Path], outlines: list[Outline]):
    for template in ("{{ raise_exception('only tools') }}", "fixed text"):
        with pytest.raises(ExplainerError, match="its chat template cannot be used"):
            texts(LanguageModel(str(make_phi(chat_template=template)), settings(), "cpu"), outlines)


def test_prompts_longer_than_the_context_are_rejected(make_phi: Callable[..., Path], outlines: list[Outline]):
    with pytest.raises(ExplainerError, match="exceed the model's context of 512 tokens"):
        texts(LanguageModel(str(make_phi(context=512)), settings(), "cpu"), outlines)
    with pytest.raises(ExplainerError, match="exceed the model's context of 600 tokens"):
        texts(LanguageModel(str(make_phi(window=600)), settings(), "cpu"), outlines)


def test_nested_configs_are_read(tiny_phi: Path):
    model = LanguageModel(str(tiny_phi), settings(), "cpu")
    _, network = model._load()

    class Nested:
        def get_text_config(self) -> object:
            return network.config

    outer = copy.copy(network)
    object.__setattr__(outer, "config", Nested())
    model._check_length(10, outer)
    with pytest.raises(ExplainerError, match="8192"):
        model._check_length(8192, outer)


def test_too_little_memory_names_the_setting(tiny_phi: Path, outlines: list[Outline], monkeypatch: pytest.MonkeyPatch):
    import torch

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no room")

    model = LanguageModel(str(tiny_phi), settings(3), "cpu")
    _, network = model._load()
    monkeypatch.setattr(type(network), "forward", full)
    with pytest.raises(ExplainerError, match=r"not enough memory for 3 texts .* set explain\.batch_size below 3"):
        texts(model, outlines)


def test_a_gpu_that_is_not_there_is_named(tiny_phi: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingsError, match=r"compute\.device is cuda, but PyTorch sees no GPU here"):
        LanguageModel(str(tiny_phi), settings(), "cuda")
