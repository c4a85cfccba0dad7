"""Phi-3 through transformers, which only this module imports."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from clairemap.errors import ExplainerError, SettingsError
from clairemap.explain.prompt import Conversation
from clairemap.machine import NO_GPU
from clairemap.provenance import json_digest
from clairemap.settings import ExplainSettings

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FINGERPRINT_BYTES = 1 << 20
LOADING_FAILS_WITH = (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError)


class PhiWriter:
    """A causal language model with a chat template, decoded greedily in batches of prompts of similar length.

    The model is loaded at the first prompt, so cached answers need no model. Prompts are padded on the left and masked:
    answers do not depend on the batch, except for rounding.
    """

    def __init__(self, model: str, settings: ExplainSettings, device: str = "auto") -> None:
        """Identify a model without loading it.

        Args:
            model: folder with the model's files, or its name on the hub.
            settings: batch size, maximum length of answers, data type.
            device: auto, cpu, cuda or a certain GPU, cuda:1; auto uses a GPU if there is one.

        Raises:
            ExplainerError: the model does not exist, or the hub cannot be reached.
            SettingsError: device is cuda and there is no GPU.
        """
        self._name = model
        self._settings = settings
        self._model_device = _model_device(device)
        self._dtype = _dtype(settings.dtype, self._model_device)
        self._loaded: tuple[Any, Any] | None = None
        self.identity = json_digest(
            {
                "model": _weights_fingerprint(model),
                "decoding": ["greedy", settings.max_new_tokens, self._dtype],
            }
        )

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        """Yield position and answer of each conversation, batch by batch, the longest prompts first.

        Raises:
            ExplainerError: the model cannot be loaded, a prompt is too long, or memory is insufficient.
        """
        if not conversations:
            return
        tokenizer, model = self._load()
        prompts = [_prompt(tokenizer, conversation) for conversation in conversations]
        lengths = [len(tokenizer(prompt, add_special_tokens=False)["input_ids"]) for prompt in prompts]
        self._check_length(max(lengths), model)
        order = sorted(range(len(prompts)), key=lambda position: -lengths[position])
        for start in range(0, len(order), self._settings.batch_size):
            batch = order[start : start + self._settings.batch_size]
            yield from zip(batch, self._generate([prompts[position] for position in batch]), strict=True)

    def _generate(self, prompts: list[str]) -> list[str]:
        tokenizer, model = self._load()
        encoded = tokenizer(prompts, padding=True, add_special_tokens=False, return_tensors="pt").to(self._model_device)
        try:
            with torch.inference_mode():
                produced = model.generate(
                    input_ids=encoded["input_ids"],
                    attention_mask=encoded["attention_mask"],
                    max_new_tokens=self._settings.max_new_tokens,
                    do_sample=False,
                    pad_token_id=tokenizer.pad_token_id,
                )
        except torch.OutOfMemoryError as error:
            raise ExplainerError(
                f"{self._name}: not enough memory for {len(prompts)} prompts of {encoded['input_ids'].shape[1]} tokens "
                f"({error}); set explain.batch_size below {self._settings.batch_size}"
            ) from None
        answers = produced[:, encoded["input_ids"].shape[1] :]
        return [str(text).strip() for text in tokenizer.batch_decode(answers, skip_special_tokens=True)]

    def _check_length(self, longest: int, model: Any) -> None:  # noqa: ANN401 - transformers is untyped
        context = int(model.config.max_position_embeddings)
        if longest + self._settings.max_new_tokens > context:
            raise ExplainerError(
                f"{self._name}: prompt ({longest} tokens) and answer ({self._settings.max_new_tokens}) exceed the "
                f"model's context of {context} tokens; lower explain.max_new_tokens or use a model with longer context"
            )

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            log.info("loading %s (transformers %s, %s)", self._name, transformers.__version__, self._model_device)
            transformers.utils.logging.disable_progress_bar()
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._name, padding_side="left")
                model = AutoModelForCausalLM.from_pretrained(self._name, dtype=DTYPES[self._dtype])
                model.to(self._model_device).eval()
            except LOADING_FAILS_WITH as error:
                raise ExplainerError(_unloadable(self._name, error)) from None
            if tokenizer.chat_template is None:
                raise ExplainerError(f"{self._name}: no chat template; use a model tuned to follow instructions")
            if tokenizer.pad_token is None:
                tokenizer.pad_token = tokenizer.eos_token
            self._loaded = tokenizer, model
        return self._loaded


def _model_device(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(NO_GPU)
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def _dtype(dtype: str, device: str) -> str:
    """Return the data type; auto is bfloat16 on a GPU and float32 on a CPU, where float32 is faster."""
    auto = "bfloat16" if device.startswith("cuda") else "float32"
    return auto if dtype == "auto" else dtype


def _prompt(tokenizer: Any, conversation: Conversation) -> str:  # noqa: ANN401 - transformers is untyped
    messages = [asdict(message) for message in conversation]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def _weights_fingerprint(name: str) -> str:
    """Return an identifier of a model: hash of its files' names, sizes, first and last MiB, or the hub's commit."""
    folder = Path(name)
    if not folder.is_dir():
        try:
            config = AutoConfig.from_pretrained(name)
        except LOADING_FAILS_WITH as error:
            raise ExplainerError(_unloadable(name, error)) from None
        return f"{name}@{getattr(config, '_commit_hash', None)}"
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(FINGERPRINT_BYTES))
            opened.seek(max(0, size - FINGERPRINT_BYTES))
            digest.update(opened.read(FINGERPRINT_BYTES))
    return digest.hexdigest()


def _unloadable(name: str, error: Exception) -> str:
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        f"{name}: the language model cannot be loaded ({first_line}); set explain.model to a folder with the model's "
        "files (config.json, tokenizer.json, *.safetensors), or to null to use the template"
    )
