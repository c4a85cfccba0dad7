"""Explanations from facts: generated and checked, with one retry, then from the template."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from clairemap.artefacts.explanations import Explanation, TileFacts
from clairemap.explain.check import Checker
from clairemap.explain.prompt import PROMPT_VERSION, Conversation, conversation, retry
from clairemap.explain.slots import fill, slots_of
from clairemap.explain.template import template_text
from clairemap.explain.writer import Writer
from clairemap.provenance import json_digest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Draft:
    text: str
    faults: tuple[str, ...]


class Explainer:
    """Explains tiles of maps with one legend."""

    def __init__(self, legend_names: Sequence[str], writer: Writer | None = None) -> None:
        """Prepare the explanations of one legend.

        Args:
            legend_names: names of all classes, from `tile_sums.names_in_texts`.
            writer: the language model; None for the template only.
        """
        self._names = tuple(legend_names)
        self._writer = writer

    def explain(self, tiles: Sequence[TileFacts]) -> list[Explanation]:
        """Return the explanations of tiles, in their order."""
        if self._writer is None:
            return [self._from_template(facts, ()) for facts in tiles]
        drafts = self._drafts(self._writer, tiles)
        found = [
            self._from_template(facts, draft.faults) if draft.faults else self._from_model(facts, draft.text)
            for facts, draft in zip(tiles, drafts, strict=True)
        ]
        accepted = sum(explanation.source == "model" for explanation in found)
        log.info("%d of %d texts are from the language model, the others from the template", accepted, len(found))
        return found

    def _drafts(self, writer: Writer, tiles: Sequence[TileFacts]) -> list[_Draft]:
        """Return the model's texts; texts with faults are generated a second time."""
        conversations = [conversation(facts) for facts in tiles]
        drafts = self._generate_drafts(writer, conversations, tiles)
        retried = [place for place, draft in enumerate(drafts) if draft.faults]
        log.info("%d of %d texts have errors and are generated again", len(retried), len(drafts))
        better = self._generate_drafts(
            writer,
            [retry(conversations[place], drafts[place].text, list(drafts[place].faults)) for place in retried],
            [tiles[place] for place in retried],
        )
        for place, draft in zip(retried, better, strict=True):
            drafts[place] = draft
        return drafts

    def _generate_drafts(
        self, writer: Writer, conversations: Sequence[Conversation], tiles: Sequence[TileFacts]
    ) -> list[_Draft]:
        answers = dict(writer.write(conversations))
        texts = [" ".join(answers[place].split()) for place in range(len(conversations))]
        return [_Draft(text, self._faults(text, facts)) for text, facts in zip(texts, tiles, strict=True)]

    def _faults(self, text: str, facts: TileFacts) -> tuple[str, ...]:
        checker = Checker(facts, self._names)
        faults = checker.slotted_faults(text)
        return tuple(faults or checker.filled_faults(fill(text, slots_of(facts))))

    def _from_model(self, facts: TileFacts, text: str) -> Explanation:
        return Explanation(text=fill(text, slots_of(facts)), source="model", key=self._key(facts))

    def _from_template(self, facts: TileFacts, faults: tuple[str, ...]) -> Explanation:
        text = fill(template_text(facts), slots_of(facts))
        return Explanation(text=text, source="template", faults=faults, key=self._key(facts))

    def _key(self, facts: TileFacts) -> str:
        writer = "template" if self._writer is None else self._writer.identity
        return json_digest({"facts": facts.record(), "prompt": PROMPT_VERSION, "writer": writer})
