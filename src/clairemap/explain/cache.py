"""Cache for the answers of a language model."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from clairemap.explain.prompt import PROMPT_VERSION, Conversation
from clairemap.explain.writer import Writer
from clairemap.provenance import json_digest, write_text_whole

log = logging.getLogger(__name__)


class CachedWriter:
    """A writer that caches its answers in a folder, one file per answer, written atomically.

    The key is a hash of the conversation (facts and prompt), the prompt version and the writer's identity (model and
    decoding). Jobs may share a folder.
    """

    def __init__(self, writer: Writer, folder: Path) -> None:
        """Cache the answers of `writer` in `folder`."""
        self._writer = writer
        self._folder = folder

    @property
    def identity(self) -> str:
        """The identity of the cached writer."""
        return self._writer.identity

    def write(self, conversations: Sequence[Conversation]) -> Iterator[tuple[int, str]]:
        """Yield position and answer of each conversation; equal conversations are answered once."""
        waiting: dict[str, list[int]] = {}
        for position, conversation in enumerate(conversations):
            key = self._key(conversation)
            cached = self._read(key)
            if cached is None:
                waiting.setdefault(key, []).append(position)
            else:
                yield position, cached
        missing = sum(map(len, waiting.values()))
        log.info("%d of %d answers taken from the cache", len(conversations) - missing, len(conversations))
        pending = list(waiting.items())
        for place, answer in self._writer.write([conversations[positions[0]] for _, positions in pending]):
            key, positions = pending[place]
            write_text_whole(self._path(key), json.dumps({"model": self.identity, "answer": answer}))
            for position in positions:
                yield position, answer

    def _key(self, conversation: Conversation) -> str:
        return json_digest(
            {
                "conversation": [asdict(message) for message in conversation],
                "prompt": PROMPT_VERSION,
                "writer": self.identity,
            }
        )

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _read(self, key: str) -> str | None:
        path = self._path(key)
        if not path.exists():
            return None
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["answer"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: not a valid answer (%s); generating it again", path, error)
            return None
