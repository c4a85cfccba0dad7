from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.errors import ExplainerError, SettingsError
from clairemap.explain.cache import CachedWriter
from clairemap.explain.explainer import Explainer
from clairemap.explain.phi import PhiWriter
from clairemap.explain.prompt import conversation
from clairemap.settings import ExplainSettings


def settings(batch_size: int = 4, max_new_tokens: int = 16) -> ExplainSettings:
    return ExplainSettings(batch_size=batch_size, max_new_tokens=max_new_tokens)


@pytest.fixture(scope="module")
def conversations(made: ModuleType) -> list:
    legend = made.LEGENDS[0]
    return [conversation(made.made_facts(seed, legend)) for seed in range(5)]


def test_batches_give_the_same_answers_as_one_by_one(tiny_phi: Path, conversations: list):
    batched = dict(PhiWriter(str(tiny_phi), settings(batch_size=5), "cpu").write(conversations))
    single = PhiWriter(str(tiny_phi), settings(batch_size=1), "cpu")
    assert sorted(batched) == list(range(5))
    assert dict(single.write(conversations)) == batched
    assert len(set(batched.values())) > 1
    assert all(text for text in batched.values())


def test_a_random_model_fails_the_check_and_the_template_is_used(tiny_phi: Path, made: ModuleType, tmp_path: Path):
    legend = made.LEGENDS[0]
    tiles = [made.made_facts(seed, legend) for seed in range(3)]
    writer = CachedWriter(PhiWriter(str(tiny_phi), settings(), "cpu"), tmp_path)
    found = Explainer(legend, writer).explain(tiles)
    assert [one.source for one in found] == ["template"] * 3
    assert all(one.faults for one in found)
    assert [one.text for one in found] == [one.text for one in Explainer(legend).explain(tiles)]
    assert len(list(tmp_path.rglob("*.json"))) == 6  # first text and retry of each


def test_identity_depends_on_weights_and_decoding(tiny_phi: Path, make_phi: Callable[..., Path]):
    same = PhiWriter(str(tiny_phi), settings(batch_size=1), "cpu").identity
    assert PhiWriter(str(tiny_phi), settings(batch_size=8), "cpu").identity == same
    assert PhiWriter(str(tiny_phi), settings(max_new_tokens=17), "cpu").identity != same
    assert PhiWriter(str(make_phi(seed=1)), settings(), "cpu").identity != same


def test_identity_depends_on_the_data_type(tiny_phi: Path, monkeypatch: pytest.MonkeyPatch):
    def identity(device: str, dtype: str) -> str:
        return PhiWriter(str(tiny_phi), ExplainSettings(dtype=dtype), device).identity

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert identity("cpu", "auto") == identity("cpu", "float32") == identity("cuda", "float32")
    assert identity("cuda", "auto") == identity("cuda", "bfloat16") != identity("cpu", "auto")


def test_no_prompts_load_no_model(tmp_path: Path):
    assert list(PhiWriter(str(tmp_path), settings(), "cpu").write([])) == []


def test_a_folder_without_a_model_is_named(tmp_path: Path, conversations: list):
    writer = PhiWriter(str(tmp_path), settings(), "cpu")
    with pytest.raises(ExplainerError, match=r"cannot be loaded .* set explain\.model to a folder"):
        list(writer.write(conversations))


def test_damaged_weights_are_named(make_phi: Callable[..., Path], conversations: list):
    folder = make_phi()
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ExplainerError, match="cannot be loaded"):
        list(PhiWriter(str(folder), settings(), "cpu").write(conversations))


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExplainerError, match="no-such/model-anywhere: the language model cannot be loaded"):
        PhiWriter("no-such/model-anywhere", settings(), "cpu")


def test_a_model_without_chat_template_is_rejected(make_phi: Callable[..., Path], conversations: list):
    with pytest.raises(ExplainerError, match="no chat template"):
        list(PhiWriter(str(make_phi(chat_template=None)), settings(), "cpu").write(conversations))


def test_prompts_longer_than_the_context_are_rejected(make_phi: Callable[..., Path], conversations: list):
    with pytest.raises(ExplainerError, match="exceed the model's context of 256 tokens"):
        list(PhiWriter(str(make_phi(context=256)), settings(), "cpu").write(conversations))


def test_a_gpu_that_is_not_there_is_named(tiny_phi: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SettingsError, match=r"compute\.device is cuda, but PyTorch sees no GPU here"):
        PhiWriter(str(tiny_phi), settings(), "cuda")
