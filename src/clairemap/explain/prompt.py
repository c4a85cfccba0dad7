"""The prompt of a language model: what can be said, and what to choose."""

from collections.abc import Sequence
from dataclasses import asdict

from clairemap.explain.outline import Outline, Topic
from clairemap.provenance import json_digest

SYSTEM = (
    "You explain a land-cover map to its users. Choose the facts that matter most: what the map shows, how sure it is, "
    "why, and what to check first. Write a few plain sentences."
)


def question(topics: Sequence[Topic]) -> str:
    """Return the facts as sentences, one per topic, without the recommendations that follow from them."""
    facts = [min(topic.wordings, key=len) for topic in topics if topic.role != "check"]
    return "\n".join(["Facts:", *facts])


def text_key(outline: Outline, writer: str) -> str:
    """Return a hash of all that decides a text: topics, limit, prompt and writer."""
    return json_digest({"outline": asdict(outline), "prompt": SYSTEM, "writer": writer})
