"""Intervals of the map's figures for ``metrics.json``, and the reason where there are none."""

from clairemap.artefacts.metrics import Interval, Intervals
from clairemap.classes import Legend
from clairemap.metrics.bootstrap import DRAWS, MIN_BLOCKS, BlockSums, Bounds, bootstrap
from clairemap.metrics.map_counts import BLOCK_PX
from clairemap.text import shortened

NAMES_SHOWN = 12
"""Maximum number of classes named in the reason."""


def map_intervals(blocks: BlockSums, legend: Legend) -> Intervals:
    """Return the intervals of the figures of the map."""
    found = bootstrap(blocks)
    return Intervals(
        miou=_interval(found.miou),
        oa=_interval(found.oa),
        f1=_interval(found.f1),
        iou={name: _interval(bounds) for name, bounds in zip(legend.names, found.iou, strict=True)},
        blocks=len(blocks),
        block_px=BLOCK_PX,
        draws=DRAWS,
        reason=_reason(blocks, legend),
    )


def _interval(bounds: Bounds | None) -> Interval | None:
    return None if bounds is None else Interval(low=bounds[0], high=bounds[1])


def _reason(blocks: BlockSums, legend: Legend) -> str | None:
    """Return which intervals are missing, and why; None if none is missing."""
    if len(blocks) < MIN_BLOCKS:
        return (
            f"no intervals: the scored pixels are in {len(blocks)} blocks of {BLOCK_PX} x {BLOCK_PX} px, at least "
            f"{MIN_BLOCKS} are needed to say anything about chance"
        )
    few = [
        f"{name} ({count})"
        for name, count in zip(legend.names, blocks.of_classes().tolist(), strict=True)
        if count < MIN_BLOCKS
    ]
    if not few:
        return None
    return f"no interval for classes in fewer than {MIN_BLOCKS} blocks: {shortened(few, NAMES_SHOWN)}"
