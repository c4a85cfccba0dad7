"""A causal language model through transformers, which only this module imports."""

import contextlib
import copy
import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from clairemap.errors import ExplainerError, SettingsError
from clairemap.explain.constrained import ConstrainedText
from clairemap.explain.outline import Outline, Sentence
from clairemap.explain.prompt import SYSTEM, question
from clairemap.machine import NO_GPU
from clairemap.provenance import json_digest
from clairemap.settings import ExplainSettings

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
FINGERPRINT_BYTES = 1 << 20
MAX_TEXT_TOKENS = 1024
LOADING_FAILS_WITH = (OSError, ValueError, RuntimeError, ImportError, KeyError, SafetensorError)


class LanguageModel:
    """A causal language model with a chat template that chooses the sentences of texts, in batches.

    Decoding is greedy: at each choice, the most probable of the tokens that may follow. The model is loaded at the
    first text, so cached texts need no model. Shorter prompts and runs of tokens are padded on the left and masked:
    texts do not depend on the batch, except for rounding.
    """

    def __init__(self, model: str, settings: ExplainSettings, device: str = "auto") -> None:
        """Identify a model without loading it.

        Args:
            model: folder with the model's files, or its name on the hub.
            settings: batch size, data type.
            device: auto, cpu, cuda or a certain GPU, cuda:1; auto uses a GPU if there is one.

        Raises:
            ExplainerError: the model does not exist, or the hub cannot be reached.
            SettingsError: device is cuda and there is no GPU.
        """
        self._name = model
        self._batch_size = settings.batch_size
        self._model_device = _model_device(device)
        self._dtype = _dtype(settings.dtype, self._model_device)
        self._loaded: tuple[Any, Any] | None = None
        self.passes = 0
        """Number of forward passes so far, counted for each text of a batch, and one for the start of all prompts."""
        self.identity = json_digest({"model": _weights_fingerprint(model), "decoding": ["constrained", self._dtype]})

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        """Yield position and sentences of each text, batch by batch, the longest prompts first.

        Raises:
            ExplainerError: the model cannot be loaded, a prompt is too long, or memory is insufficient.
        """
        if not outlines:
            return
        tokenizer, model = self._load()
        prompts = [_prompt(tokenizer, question(outline.topics), self._name) for outline in outlines]
        self._check_length(max(map(len, prompts)), model)
        order = sorted(range(len(prompts)), key=lambda position: -len(prompts[position]))
        common = _common_start(prompts)
        start = self._read_start(model, prompts[0][:common])
        for first in range(0, len(order), self._batch_size):
            batch = order[first : first + self._batch_size]
            texts = [self._text(tokenizer, model, outlines[position]) for position in batch]
            self._write_batch(model, copy.deepcopy(start), common, texts, [prompts[place][common:] for place in batch])
            yield from zip(batch, (text.sentences for text in texts), strict=True)

    def _read_start(self, model: Any, tokens: list[int]) -> Any:  # noqa: ANN401 - transformers is untyped
        """Return the key-value cache after the tokens that all prompts begin with."""
        cache = transformers.DynamicCache(config=model.config)
        if tokens:
            ids = torch.tensor([tokens], device=self._model_device)
            with self._enough_memory(), torch.inference_mode():
                model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self.passes += 1
        return cache

    def _text(self, tokenizer: Any, model: Any, outline: Outline) -> ConstrainedText:  # noqa: ANN401
        return ConstrainedText(outline, lambda sentence: _tokens(tokenizer, sentence), _end_tokens(tokenizer, model))

    def _write_batch(
        self,
        model: Any,  # noqa: ANN401 - transformers is untyped
        cache: Any,  # noqa: ANN401
        common: int,
        texts: list[ConstrainedText],
        prompts: list[list[int]],
    ) -> None:
        """Write texts together.

        Each pass reads what is new in each text: first the rest of its prompt, then the chosen token and those that
        follow without a choice. A row of the batch is dropped when its text is complete.
        """
        started = [_Row(text, [*prompt, *text.forced()], common) for text, prompt in zip(texts, prompts, strict=True)]
        rows = [row for row in started if not row.text.ended]
        mask = torch.ones(len(rows), common, dtype=torch.long, device=self._model_device)
        if common and len(rows) > 1:
            cache.batch_repeat_interleave(len(rows))
        while rows:
            ids, new_mask, positions = (part.to(self._model_device) for part in _padded(rows))
            mask = torch.cat([mask, new_mask], 1)
            with self._enough_memory(), torch.inference_mode():
                logits = model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                ).logits[:, -1]
            self.passes += len(rows)
            for row, scores in zip(rows, logits.float().cpu().numpy(), strict=True):
                row.known += len(row.pending)
                row.pending = row.text.choose(scores)
            kept = [place for place, row in enumerate(rows) if row.pending]
            if kept and len(kept) < len(rows):
                indices = torch.tensor(kept, device=self._model_device)
                cache.batch_select_indices(indices)
                mask = mask[indices]
            rows = [rows[place] for place in kept]

    @contextlib.contextmanager
    def _enough_memory(self) -> Iterator[None]:
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise ExplainerError(
                f"{self._name}: not enough memory for {self._batch_size} texts at once ({error}); set "
                f"explain.batch_size below {self._batch_size}, or use a smaller model"
            ) from None

    def _check_length(self, longest: int, model: Any) -> None:  # noqa: ANN401
        config = model.config.get_text_config()
        context = min(int(config.max_position_embeddings), int(getattr(config, "sliding_window", None) or 1 << 30))
        if longest + MAX_TEXT_TOKENS > context:
            raise ExplainerError(
                f"{self._name}: the longest prompt ({longest} tokens) and its text (up to {MAX_TEXT_TOKENS}) exceed "
                f"the model's context of {context} tokens; use a model with longer context"
            )

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            log.info("loading %s (transformers %s, %s)", self._name, transformers.__version__, self._model_device)
            transformers.utils.logging.disable_progress_bar()
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._name)
                model = AutoModelForCausalLM.from_pretrained(self._name, dtype=DTYPES[self._dtype])
                model.to(self._model_device).eval()
            except LOADING_FAILS_WITH as error:
                raise ExplainerError(_unloadable(self._name, error)) from None
            if tokenizer.chat_template is None:
                raise ExplainerError(f"{self._name}: no chat template; use a model tuned to follow instructions")
            self._loaded = tokenizer, model
        return self._loaded


@dataclass
class _Row:
    """A text of a batch: tokens that the model has not read, and the number of those that it has."""

    text: ConstrainedText
    pending: list[int]
    known: int


def _padded(rows: Sequence[_Row]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pending tokens, padded on the left, their mask, and their positions; (rows, longest) each."""
    width = max(len(row.pending) for row in rows)
    ids, mask, positions = (torch.zeros(len(rows), width, dtype=torch.long) for _ in range(3))
    for place, row in enumerate(rows):
        start = width - len(row.pending)
        ids[place, start:] = torch.tensor(row.pending)
        mask[place, start:] = 1
        positions[place, start:] = torch.arange(row.known, row.known + len(row.pending))
    return ids, mask, positions


def _common_start(prompts: Sequence[Sequence[int]]) -> int:
    """Return the number of tokens that all prompts begin with; each prompt has at least one more."""
    shortest = min(map(len, prompts)) - 1
    first = prompts[0]
    return next(
        (at for at in range(shortest) if any(prompt[at] != first[at] for prompt in prompts)),
        shortest,
    )


def _prompt(tokenizer: Any, facts: str, name: str) -> list[int]:  # noqa: ANN401 - transformers is untyped
    """Return the tokens of the prompt; the rules precede the facts where a template knows no system message."""
    facts = _inert(tokenizer, facts)
    apart = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": facts}]
    together = [{"role": "user", "content": f"{SYSTEM}\n\n{facts}"}]
    for messages in (apart, together):
        try:
            text = str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        except (jinja2.TemplateError, TypeError) as error:
            if messages is together:
                raise ExplainerError(f"{name}: its chat template cannot be used ({error})") from None
            continue
        if SYSTEM in text and facts in text:
            return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    raise ExplainerError(f"{name}: its chat template cannot be used (it leaves the question out)")


def _tokens(tokenizer: Any, sentence: str) -> tuple[int, ...]:  # noqa: ANN401 - transformers is untyped
    """Return the tokens of a sentence at the start of an answer or, if it begins with a space, after another one."""

    def tokens(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    plain = _inert(tokenizer, sentence)
    before = tokens(".")
    after = tokens(f".{plain}")
    found = after[len(before) :] if plain.startswith(" ") and after[: len(before)] == before else tokens(plain)
    if not found:
        raise ExplainerError(f"the tokenizer of the language model cannot spell {sentence!r}; use another model")
    return tuple(found)


def _inert(tokenizer: Any, text: str) -> str:  # noqa: ANN401 - transformers is untyped
    """Return a text for the model without control tokens: class names may contain some, for example ``<|end|>``."""
    for token in tokenizer.get_added_vocab():
        if len(token) > 1:
            text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def _end_tokens(tokenizer: Any, model: Any) -> list[int]:  # noqa: ANN401 - transformers is untyped
    """Return the tokens that end an answer."""
    configured = model.generation_config.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    return list(dict.fromkeys(token for token in [*listed, tokenizer.eos_token_id] if token is not None))


def _model_device(device: str) -> str:
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError(NO_GPU)
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def _dtype(dtype: str, device: str) -> str:
    """Return the data type; auto is the faster one: float32 on a CPU without instructions for bfloat16 matrices."""
    if dtype != "auto":
        return dtype
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older versions
    return "bfloat16" if device.startswith("cuda") or capabilities.get("amx_bf16") else "float32"


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
