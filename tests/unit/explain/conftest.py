"""What the tests of explanations share: made tiles, and a Phi-3 small enough to be made on the spot."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def made(benchmark_module: Callable[[str], ModuleType]) -> ModuleType:
    """Return ``benchmarks/explanations_made.py``: made tiles, and the reading of texts."""
    return benchmark_module("explanations_made")


CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
SPECIAL = ["<unk>", "<s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>"]


def _tokenizer(chat_template: str | None) -> Any:  # noqa: ANN401 - transformers is untyped
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from clairemap.explain.outline import Topic
    from clairemap.explain.prompt import SYSTEM, question

    bytes_pairs = Tokenizer(models.BPE(unk_token="<unk>"))
    bytes_pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_pairs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sentences = (f"Most of this tile is {name}, with 42 % of the mapped area." for name in ("forest", "road", "water"))
    bytes_pairs.train_from_iterator([SYSTEM, question([Topic("", "lead", tuple(sentences), ())])] * 9, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_pairs, bos_token="<s>", eos_token="<|endoftext|>", unk_token="<unk>"
    )
    tokenizer.chat_template = chat_template
    return tokenizer


@pytest.fixture(scope="session")
def make_phi(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes a random Phi-3 of about 100,000 parameters with its own tokenizer."""

    def make(
        *, seed: int = 0, chat_template: str | None = CHAT_TEMPLATE, context: int = 8192, window: int | None = None
    ) -> Path:
        import torch
        from transformers import Phi3Config, Phi3ForCausalLM

        folder = tmp_path_factory.mktemp("phi")
        tokenizer = _tokenizer(chat_template)
        end = tokenizer.convert_tokens_to_ids("<|end|>")
        torch.manual_seed(seed)
        model = Phi3ForCausalLM(
            Phi3Config(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=context,
                original_max_position_embeddings=context,
                sliding_window=window,
                bos_token_id=1,
                eos_token_id=[end, 2],
                pad_token_id=2,
            )
        )
        model.generation_config.eos_token_id = [end, 2]
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_phi(make_phi: Callable[..., Path]) -> Path:
    """Return the folder of a random Phi-3."""
    return make_phi()
