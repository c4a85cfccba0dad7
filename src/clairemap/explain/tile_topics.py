"""What can be said about a tile: topics with sentences that are true of its facts.

To add a topic, write a function that yields it under the conditions that make its sentences true, and add it to
`TOPICS`. Sentences do not begin with a class name, have at most two figures, and format them by `wording`.
"""

from collections.abc import Callable
from dataclasses import replace

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain import accuracy_topics, check_topics, cover_topics, reason_topics
from clairemap.explain.outline import Topic, Topics

TOPICS: tuple[Callable[[TileFacts], Topics], ...] = (
    accuracy_topics.unseen,
    accuracy_topics.low_accuracy,
    accuracy_topics.low_confidence,
    cover_topics.lead,
    cover_topics.other_classes,
    accuracy_topics.confidence,
    accuracy_topics.least_sure,
    accuracy_topics.accuracy,
    accuracy_topics.weak_classes,
    accuracy_topics.best_and_worst,
    accuracy_topics.confusions,
    cover_topics.sensors,
    cover_topics.clouds,
    reason_topics.shifted_bands,
    reason_topics.sensors_by_class,
    reason_topics.signatures,
    reason_topics.runner_up,
    reason_topics.track_record,
    reason_topics.pattern,
    reason_topics.may_be_missed,
    check_topics.checks,
)


def tile_topics(facts: TileFacts) -> tuple[Topic, ...]:
    """Return all that can be said about a tile, with at least one topic each to lead, how sure, why and check.

    The weights of the sensors answer "why" only if no other reason does, or if they must be said.
    """
    topics = [topic for found in TOPICS for topic in found(facts)]
    reasons = any(topic.role == "why" and topic.key != "sensors" for topic in topics)
    return tuple(
        replace(topic, role="what") if reasons and topic.key == "sensors" and not topic.must_say else topic
        for topic in topics
    )
