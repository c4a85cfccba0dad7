"""How the data were split and what leaks, in sentences for the page."""

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.report.content import SplitSummary

METHODS = {
    "scene": "Whole scenes were held out, as the sample sheet says.",
    "block": "Blocks of tiles were held out of the training scenes, with a buffer around them, besides the scenes that "
    "the sample sheet holds out.",
    "random": "Single tiles were held out of the training scenes at random, without a buffer, because "
    "splits.accept_leakage insists.",
}
RANDOM = (
    "The neighbours of tiles that were held out at random train the network, and neighbours look alike: such figures "
    "overstate accuracy by up to 28 % (Kattenborn et al. 2022). Hold out scenes or blocks for figures that others rely "
    "on."
)
NAMES = {"val": "validation", "test": "test"}


def split_summary(audit: SplitAudit, reach_px: int | None, scored: str | None) -> SplitSummary:
    """Return what the page says of the split.

    Args:
        audit: of the split.
        reach_px: the network's halo: what lies farther away has no effect on a pixel. None if it isn't known.
        scored: the split that the page's headline figures stand for.
    """
    leaks = {split: _leaks(split, leakage) for split, leakage in audit.held_out.items()}
    random = (RANDOM,) if audit.method == "random" and audit.held_out else ()
    near = tuple(_near_training(split, leakage, reach_px) for split, leakage in audit.held_out.items())
    return SplitSummary(
        method=METHODS.get(audit.method, f"Method: {audit.method}."),
        audit=audit,
        reach_px=reach_px,
        cautions=(*random, *(text for texts in leaks.values() for text in texts), *(text for text in near if text)),
        headline_cautions=(*random, *leaks[scored]) if scored in leaks else (),
    )


def _leaks(split: str, leakage: Leakage) -> tuple[str, ...]:
    texts = []
    if leakage.overlapping_share:
        texts.append(
            f"{100 * leakage.overlapping_share:.2f} % of the {NAMES[split]} tiles' ground lies under training tiles of "
            "other scenes: the network has seen that ground. Put scenes that overlap into one split."
        )
    if leakage.copied_tiles:
        more = ", …" if leakage.copied_tiles > len(leakage.copies) else ""
        texts.append(
            f"{leakage.copied_tiles} {NAMES[split]} tile(s) hold the very pixels of a training tile: "
            f"{', '.join(leakage.copies)}{more}. Take scenes that stand twice off the sample sheet."
        )
    return tuple(texts)


def _near_training(split: str, leakage: Leakage, reach_px: int | None) -> str:
    distance_px = leakage.distance_px
    if reach_px is None or distance_px is None or distance_px >= reach_px or leakage.overlapping_share:
        return ""
    gap = f"{distance_px} px from" if distance_px else "right beside"
    return (
        f"The nearest training tile lies {gap} a {NAMES[split]} tile, within the network's reach of {reach_px} px: "
        "what surrounds the two is partly the same. Leave more between them (splits.buffer_px between blocks, other "
        "scenes in the sample sheet)."
    )
