"""The line of figures under a tile's explanation."""

from collections.abc import Iterator

from clairemap.artefacts.explanations import ExplainedTile, TileFacts
from clairemap.metrics.scores import MIN_TRUTH_PX


def tile_line(tile: ExplainedTile) -> str:
    """Return what is known of a tile in a line; what isn't is said."""
    facts = tile.facts
    parts = [
        *_accuracy_text(facts),
        f"confidence {facts.confidence_pct} %",
        f"optical share {facts.optical_share_pct} %",
        _cloud_text(facts),
        *(f"{name}: unseen in training" for name in facts.unseen),
        f"text from the {tile.source}",
    ]
    return " · ".join(parts)


def _accuracy_text(facts: TileFacts) -> Iterator[str]:
    if facts.oa_pct is None and facts.labelled_px:
        yield f"accuracy not given: {facts.labelled_px} labelled pixels, fewer than {MIN_TRUTH_PX}"
    elif facts.oa_pct is not None:
        yield f"accuracy {facts.oa_pct} %"
        worst = "" if facts.worst is None else f" (IoU of {facts.worst.name} {facts.worst.iou:.2f})"
        yield f"agreement {facts.accuracy}{worst}"


def _cloud_text(facts: TileFacts) -> str:
    if facts.cloud_pct is None:
        return "cloud unknown (no mask)" if facts.cloud_unknown_pct else "cloud unknown (no optical image)"
    return f"cloud {facts.cloud_pct} %" + (
        f", unknown for {facts.cloud_unknown_pct} % (no mask there)" if facts.cloud_unknown_pct else ""
    )
