"""What a reader has to know before trusting a region's map, in sentences for the head of its page and for programs."""

from collections.abc import Iterator, Mapping, Sequence

from clairemap.artefacts.metrics import BelowSingleSensor, ClassSupport
from clairemap.artefacts.radiometry_check import RadiometryCheck, RadiometryVerdict
from clairemap.metrics.class_support import FEW_TRAINING_PX
from clairemap.text import shortened

NAMES_SHOWN = 12
"""Classes that a sentence names; the table of classes has all of them with their training pixels."""

SENSOR_NAMES = {"optical": "the optical image", "sar": "SAR"}
RADIOMETRY_TEXTS: dict[RadiometryVerdict, str] = {
    "mismatch": "The values of a scene don't match those that the network learnt, so its map is most likely wrong",
    "mild": "The values of a scene lie far from those that the network learnt",
}


def cautions(
    learnt: Sequence[ClassSupport],
    truth_px: Mapping[str, int],
    missed_px: Mapping[str, int],
    below: Sequence[BelowSingleSensor],
    radiometry: Sequence[RadiometryCheck] = (),
) -> tuple[str, ...]:
    """Return the sentences, none where there is nothing to warn of.

    Args:
        learnt: all classes with their training pixels.
        truth_px: labelled pixels of each class in the region, by name; all splits.
        missed_px: labelled pixels in the headline's tiles of the classes of which not one is mapped right, by name.
        below: where both sensors score below one.
        radiometry: how the scenes' values compare with the training scenes'.
    """
    unseen = {c.name for c in learnt if c.learning == "unseen"}
    missed = {name: pixels for name, pixels in missed_px.items() if name not in unseen}
    return (
        *_radiometry_cautions(radiometry),
        *_unseen(learnt, truth_px),
        *_few(learnt),
        *_missed(missed),
        *_below_single_sensor_text(below),
    )


def _radiometry_cautions(radiometry: Sequence[RadiometryCheck]) -> Iterator[str]:
    for verdict, what in RADIOMETRY_TEXTS.items():
        for check in radiometry:
            for remark in check.remarks(verdict):
                yield f"{what} (scene {check.scene}, {remark})."


def _unseen(learnt: Sequence[ClassSupport], truth_px: Mapping[str, int]) -> Iterator[str]:
    names = [c.name for c in learnt if c.learning == "unseen"]
    if names:
        labelled = [f"{truth_px[name]:,} pixels of {name}" for name in names if truth_px.get(name)]
        here = f" The labels of this region have {', '.join(labelled)}." if labelled else ""
        yield (
            f"No training pixel had the {_class_list(names)}: the network does not know "
            f"{'it' if len(names) == 1 else 'them'} and maps such ground as other classes, however high the confidence "
            f"is.{here}"
        )


def _few(learnt: Sequence[ClassSupport]) -> Iterator[str]:
    found = [c for c in learnt if c.learning == "few"]
    if found:
        pixels = ", ".join(f"{c.name} {c.training_px}" for c in found)
        yield (
            f"Fewer than {FEW_TRAINING_PX:,} training pixels had the {_class_list([c.name for c in found])} "
            f"({pixels}): the network hardly knows {'it' if len(found) == 1 else 'them'}."
        )


def _missed(missed_px: Mapping[str, int]) -> Iterator[str]:
    if missed_px:
        pixels = ", ".join(f"{name} ({pixels:,})" for name, pixels in missed_px.items())
        yield f"Not one of the scored labelled pixels of {pixels} is mapped right."


def _class_list(names: Sequence[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} {shortened(names, NAMES_SHOWN)}"


def _below_single_sensor_text(below: Sequence[BelowSingleSensor]) -> Iterator[str]:
    for scene, sensor in dict.fromkeys((entry.scene, entry.sensor) for entry in below):
        entries = [entry for entry in below if (entry.scene, entry.sensor) == (scene, sensor)]
        points = " and ".join(f"{100 * (e.alone - e.fused):.1f} points of {e.figure}" for e in entries)
        figures = " and ".join(f"{e.figure} {100 * e.fused:.1f} % against {100 * e.alone:.1f} %" for e in entries)
        where = "On all compared scenes together" if scene is None else f"On scene {scene}"
        yield (
            f"{where} the map from both sensors scores {points} below {SENSOR_NAMES.get(sensor, sensor)} alone "
            f"({figures}, on the {entries[0].pixels:,} labelled pixels that both sensors see)."
        )
