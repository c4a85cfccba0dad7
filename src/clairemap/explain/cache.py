"""Cache for the texts of a language model."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from clairemap.explain.outline import Outline, Sentence
from clairemap.explain.prompt import text_key
from clairemap.explain.writer import Writer
from clairemap.provenance import write_text_whole

log = logging.getLogger(__name__)


class CachedWriter:
    """A writer that caches its texts in a folder, one file per text, written atomically.

    The key is `text_key`, a hash of all that decides a text. Jobs may share a folder.
    """

    def __init__(self, writer: Writer, folder: Path) -> None:
        """Cache the texts of `writer` in `folder`."""
        self._writer = writer
        self._folder = folder

    @property
    def identity(self) -> str:
        """The identity of the cached writer."""
        return self._writer.identity

    def write(self, outlines: Sequence[Outline]) -> Iterator[tuple[int, list[Sentence]]]:
        """Yield position and sentences of each text; equal outlines are written once."""
        waiting: dict[str, list[int]] = {}
        for position, outline in enumerate(outlines):
            key = text_key(outline, self.identity)
            cached = self._read(key, outline)
            if cached is None:
                waiting.setdefault(key, []).append(position)
            else:
                yield position, cached
        missing = sum(map(len, waiting.values()))
        log.info("%d of %d texts taken from the cache", len(outlines) - missing, len(outlines))
        pending = list(waiting.items())
        for place, sentences in self._writer.write([outlines[positions[0]] for _, positions in pending]):
            key, positions = pending[place]
            written = [[sentence.topic.key, sentence.text] for sentence in sentences]
            write_text_whole(self._path(key), json.dumps({"model": self.identity, "sentences": written}))
            for position in positions:
                yield position, sentences

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _read(self, key: str, outline: Outline) -> list[Sentence] | None:
        path = self._path(key)
        if not path.exists():
            return None
        topics = {topic.key: topic for topic in outline.topics}
        try:
            written = json.loads(path.read_text(encoding="utf-8"))["sentences"]
            return [
                Sentence(topics[topic], topics[topic].wordings[topics[topic].wordings.index(text)])
                for topic, text in written
            ]
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: not a valid text (%s); writing it again", path, error)
            return None
