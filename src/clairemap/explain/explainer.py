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
    """Return the explanations of tiles, in their order.

    Args:
        tiles: the facts of each tile.
        writer: the language model; None for the template only.
        chosen: positions of the tiles whose texts the model writes; None for all. The others get the template's.
    """
    outlines = [Outline(tile_topics(facts)) for facts in tiles]
    by_model: dict[int, list[Sentence]] = {}
    if writer is not None:
        places = [place for place in range(len(tiles)) if chosen is None or place in chosen]
        written = writer.write([outlines[place] for place in places])
        by_model = {places[position]: sentences for position, sentences in written}
    return [
        _explanation(by_model[place], "model", text_key(outline, writer.identity))
        if writer is not None and place in by_model
        else _explanation(template_sentences(outline.topics), "template", text_key(outline, "template"))
        for place, outline in enumerate(outlines)
    ]


def _explanation(sentences: Sequence[Sentence], source: Source, key: str) -> Explanation:
    points = tuple(ExplainedPoint(topic=s.topic.key, text=s.text, about=s.topic.about) for s in sentences)
    return Explanation(text=" ".join(s.text for s in sentences), sentences=points, source=source, key=key)
