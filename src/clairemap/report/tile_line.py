"""The line of figures below a tile's explanation."""

from collections.abc import Iterator

from clairemap.artefacts.explanations import ExplainedTile, TileFacts
from clairemap.metrics.scores import MIN_TRUTH_PX


def tile_line(tile: ExplainedTile) -> str:
    """Return the figures of a tile in one line; unknown figures are named."""
    facts = tile.facts
    figures = [
        *_accuracy_text(facts),
        f"confidence {facts.confidence_pct} %",
        f"optical share {facts.optical_share_pct} %",
        _cloud_text(facts),
        *(f"{name}: not in training data" for name in facts.unseen),
        "text from language model" if tile.source == "model" else "text from template",
    ]
    return " · ".join(figures)


def _accuracy_text(facts: TileFacts) -> Iterator[str]:
    if facts.oa_pct is None and facts.labelled_px:
        yield f"accuracy unknown: {facts.labelled_px} labelled pixels, fewer than {MIN_TRUTH_PX}"
    elif facts.oa_pct is not None:
        yield f"accuracy {facts.oa_pct} %"
        worst = "" if facts.worst is None else f" (IoU of {facts.worst.name} {facts.worst.iou:.2f})"
        yield f"agreement {facts.accuracy}{worst}"


def _cloud_text(facts: TileFacts) -> str:
    if facts.cloud_pct is None:
        return "clouds unknown (no mask)" if facts.cloud_unknown_pct else "clouds unknown (no optical image)"
    return f"clouds {facts.cloud_pct} %" + (
        f", unknown for {facts.cloud_unknown_pct} % (no mask)" if facts.cloud_unknown_pct else ""
    )
