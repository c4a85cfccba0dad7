"""Explanations from facts: the sentences are chosen by a language model or, without one, by their salience."""

from collections.abc import Collection, Sequence

from clairemap.artefacts.explanations import ExplainedPoint, Explanation, Source, TileFacts
from clairemap.explain.outline import Outline, Sentence, template_sentences
from clairemap.explain.prompt import text_key
from clairemap.explain.tile_topics import tile_topics
from clairemap.explain.writer import Writer


def explain(
    tiles: Sequence[TileFacts], writer: Writer | None = None, chosen: Collection[int] | None = None
) -> list[Explanation]:
    """Return the explanations of tiles, in their order; arguments as for `texts`."""
    return texts([Outline(tile_topics(facts)) for facts in tiles], writer, chosen)


def texts(
    outlines: Sequence[Outline], writer: Writer | None = None, chosen: Collection[int] | None = None
) -> list[Explanation]:
    """Return texts, in the order of their outlines.

    Args:
        outlines: what can be said in each text.
        writer: the language model; None for the template only.
        chosen: positions of the texts that the model writes; None for all. The others are the template's.
    """
    by_model: dict[int, list[Sentence]] = {}
    if writer is not None:
        places = [place for place in range(len(outlines)) if chosen is None or place in chosen]
        written = writer.write([outlines[place] for place in places])
        by_model = {places[position]: sentences for position, sentences in written}
    return [
        _explanation(by_model[place], "model", text_key(outline, writer.identity))
        if writer is not None and place in by_model
        else _explanation(template_sentences(outline), "template", text_key(outline, "template"))
        for place, outline in enumerate(outlines)
    ]


def _explanation(sentences: Sequence[Sentence], source: Source, key: str) -> Explanation:
    points = tuple(ExplainedPoint(topic=s.topic.key, text=s.text, about=s.topic.about) for s in sentences)
    return Explanation(text=" ".join(s.text for s in sentences), sentences=points, source=source, key=key)
