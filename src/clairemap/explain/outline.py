"""The outline of a text: topics with true sentences, and the rules on which of them may follow.

Template and language model both follow these rules, so that each text, whoever chose its sentences, says what must be
said, says nothing twice, and says what the map shows, how sure it is, why, and what to check.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Role = Literal["lead", "what", "how sure", "why", "caveat", "check"]

PHASES: dict[Role, int] = {"lead": 1, "what": 2, "how sure": 2, "why": 2, "caveat": 2, "check": 3}
"""What to check comes last; the topics between are in any order."""

ANSWERED: frozenset[Role] = frozenset({"how sure", "why", "check"})
"""Each text has a topic of each of these roles that its outline has, and the lead."""

MIN_SENTENCES = 3


@dataclass(frozen=True)
class Topic:
    """A point that a text can make once.

    Attributes:
        key: name of the point, unique in an outline.
        role: what the point is about.
        wordings: whole sentences; each is true and says the same. The template uses the first.
        about: the facts behind the sentences, as keys of the record: ``confidence_pct``, ``classes.road.iou``.
        must_say: whether every text makes this point.
        salience: importance, from 0 to 1.
        warns: whether the point decides if the reader can trust the rest; such points are always said, and first.
    """

    key: str
    role: Role
    wordings: tuple[str, ...]
    about: tuple[str, ...]
    must_say: bool = False
    salience: float = 0.5
    warns: bool = False

    @property
    def required(self) -> bool:
        """Whether every text makes this point."""
        return self.must_say or self.warns or self.role == "lead"

    @property
    def phase(self) -> int:
        """Place in a text."""
        return 0 if self.warns else PHASES[self.role]


Topics = Iterator[Topic]


@dataclass(frozen=True)
class Outline:
    """Topics of a text of `MIN_SENTENCES` to `limit` sentences (template: `usual`), more only if more must be said."""

    topics: tuple[Topic, ...]
    limit: int = 7
    usual: int = 6

    def following(self, said: Sequence[Topic]) -> list[Topic]:
        """Return the topics that may come after `said`, the most important first."""
        left = [topic for topic in self.topics if topic not in said]
        found = [topic for topic in left if self._leaves_room(said, topic, left)]
        return sorted(found, key=lambda topic: (topic.phase, -topic.salience))

    def may_end(self, said: Sequence[Topic]) -> bool:
        """Whether the text may end after `said`."""
        enough = len(said) >= min(MIN_SENTENCES, len(self.topics))
        return enough and not self._owed(said, [topic for topic in self.topics if topic not in said])

    def _leaves_room(self, said: Sequence[Topic], topic: Topic, left: Sequence[Topic]) -> bool:
        """Whether all that must be said can still be said, in order and within the limit, after `topic`."""
        if said and topic.phase < said[-1].phase:
            return False
        owed = self._owed([*said, topic], [other for other in left if other is not topic])
        room = max(self.limit - len(said), len(self._owed(said, left)))
        return 1 + len(owed) <= room and all(phase >= topic.phase for phase in owed)

    def _owed(self, said: Sequence[Topic], left: Sequence[Topic]) -> list[int]:
        """Return the latest possible phase of each sentence that must still be said."""
        required = [topic for topic in left if topic.required]
        open_roles = ANSWERED - {topic.role for topic in (*said, *required)}
        roles = {topic.role: topic.phase for topic in left if topic.role in open_roles}
        return [topic.phase for topic in required] + list(roles.values())


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text and the topic that it is about."""

    topic: Topic
    text: str


def template_sentences(outline: Outline) -> list[Sentence]:
    """Return the most salient topics in their first wording: at most `usual`, unless more must be said."""
    shorter = replace(outline, limit=outline.usual)
    said: list[Topic] = []
    while following := shorter.following(said):
        said.append(following[0])
    return [Sentence(topic, topic.wordings[0]) for topic in said]
