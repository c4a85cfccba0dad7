"""Sentences on the split of the data and on leakage between its parts."""

from clairemap.artefacts.audit import GIVEN, Leakage, SplitAudit
from clairemap.report.content import SplitSummary

METHODS = {
    "scene": "Whole scenes were held out, as set in the sample sheet.",
    "block": "Blocks of tiles with a buffer were held out of the training scenes, in addition to the scenes held out "
    "in the sample sheet.",
    "random": "Single tiles were held out of the training scenes at random, without a buffer "
    "(splits.accept_leakage is true).",
    GIVEN: "The model was trained in another project; nothing was held out here. The labelled scenes were compared "
    "with the places of its training, as far as these are known.",
}
UNKNOWN_PLACES = (
    "It is not known where the model was trained, or scenes have no coordinate reference system: the labelled scenes "
    "may be among its training data, and then the figures overestimate the accuracy."
)
UNKNOWN_START = (
    "It is not known where the model that the training started from was trained, or scenes have no coordinate "
    "reference system: the labelled scenes may be among its training data, and then the figures overestimate the "
    "accuracy."
)
RANDOM = (
    "The network was trained on neighbours of the held-out tiles, and neighbouring tiles are similar. Such figures "
    "overestimate the accuracy by up to 28 % (Kattenborn et al. 2022). For reliable figures, hold out scenes or blocks."
)
NAMES = {"val": "validation", "test": "test"}


def split_summary(
    audit: SplitAudit, halo_px: int | None, scored: str | None, headline: str | None = None
) -> SplitSummary:
    """Return the page's sentences on the split.

    Args:
        audit: audit of the split.
        halo_px: the network's halo: pixels farther away have no effect on a pixel. None if unknown.
        scored: the split of the figures at the top of the page.
        headline: their scope; those of the map leave out the ground of this project's training.
    """
    is_given = audit.method == GIVEN
    leaks = {
        split: _shared_places(leakage)
        if is_given
        else (*_shared_area(split, leakage), *_copies(split, leakage), *_shared_with_start(split, leakage))
        for split, leakage in audit.held_out.items()
    }
    of_headline = leaks.get(scored or "", ())
    if headline == "map" and not is_given and scored is not None and scored in audit.held_out:
        leakage = audit.held_out[scored]
        of_headline = (*_copies(scored, leakage), *_shared_with_start(scored, leakage))
    random = (RANDOM,) if audit.method == "random" and audit.held_out else ()
    unknown = (UNKNOWN_PLACES,) if is_given and _is_unknown(audit) else ()
    if audit.held_out and audit.start_is_known is False:
        unknown = (UNKNOWN_START,)
    near = tuple(_near_training(split, leakage, halo_px) for split, leakage in audit.held_out.items())
    return SplitSummary(
        method=METHODS.get(audit.method, f"Method: {audit.method}."),
        audit=audit,
        halo_px=halo_px,
        cautions=(
            *random,
            *unknown,
            *(text for texts in leaks.values() for text in texts),
            *(text for text in near if text),
        ),
        headline_cautions=(*random, *unknown, *of_headline) if scored in leaks else (),
        uncertain=bool(unknown) and not of_headline,
    )


def _is_unknown(audit: SplitAudit) -> bool:
    """Whether some of the test scenes could not be compared with all places of the training."""
    return bool(audit.held_out) and (
        bool(audit.not_compared) or any(leakage.overlapping_share is None for leakage in audit.held_out.values())
    )


def _shared_places(leakage: Leakage) -> tuple[str, ...]:
    if not leakage.overlapping_share:
        return ()
    return (
        f"The model was trained on {100 * leakage.overlapping_share:.2f} % of the area of the test tiles, so the "
        "figures overestimate the accuracy. Test on other places.",
    )


def _shared_area(split: str, leakage: Leakage) -> tuple[str, ...]:
    if not leakage.overlapping_share:
        return ()
    return (
        f"{100 * leakage.overlapping_share:.2f} % of the area of the {NAMES[split]} tiles is also covered by "
        "training tiles of other scenes. Put overlapping scenes into the same split.",
    )


def _shared_with_start(split: str, leakage: Leakage) -> tuple[str, ...]:
    if not leakage.start_share:
        return ()
    return (
        f"The model that the training started from was trained on {100 * leakage.start_share:.2f} % of the area of the "
        f"{NAMES[split]} tiles, so their figures overestimate the accuracy. Hold out other places.",
    )


def _copies(split: str, leakage: Leakage) -> tuple[str, ...]:
    if not leakage.copied_tiles:
        return ()
    more = ", …" if leakage.copied_tiles > len(leakage.copies) else ""
    return (
        f"{leakage.copied_tiles} {NAMES[split]} tile(s) have the same pixels as a training tile: "
        f"{', '.join(leakage.copies)}{more}. Remove duplicate scenes from the sample sheet.",
    )


def _near_training(split: str, leakage: Leakage, halo_px: int | None) -> str:
    distance_px = leakage.distance_px
    if halo_px is None or distance_px is None or distance_px >= halo_px or leakage.overlapping_share:
        return ""
    gap = f"{distance_px} px from" if distance_px else "adjacent to"
    return (
        f"The nearest training tile is {gap} a {NAMES[split]} tile. The network's halo is {halo_px} px, so "
        "the network used some of the same surrounding pixels in training and in testing. "
        "Increase the distance: splits.buffer_px for blocks, or other scenes in the sample "
        "sheet."
    )
