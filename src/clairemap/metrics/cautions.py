"""What a reader has to know before trusting a region's map, in sentences for the head of its page and for programs."""

from collections.abc import Iterator, Mapping, Sequence

from clairemap.metrics.comparison import BelowSingleSensor
from clairemap.metrics.learnt import FEW_TRAINING_PX, LearntClass
from clairemap.radiometry_check import RadiometryCheck, Verdict

SENSOR_NAMES = {"optical": "the optical image", "sar": "SAR"}
UNLIKE: dict[Verdict, str] = {
    "mismatch": "The values of a scene don't match those that the network learnt, so its map is most likely wrong",
    "mild": "The values of a scene lie far from those that the network learnt",
}


def cautions(
    learnt: Sequence[LearntClass],
    truth_px: Mapping[str, int],
    below: Sequence[BelowSingleSensor],
    radiometry: Sequence[RadiometryCheck] = (),
) -> tuple[str, ...]:
    """Return the sentences, none where there is nothing to warn of.

    Args:
        learnt: all classes with their training pixels.
        truth_px: labelled pixels of each class in the region, by name; all splits.
        below: where both sensors score below one.
        radiometry: how the scenes' values compare with the training scenes'.
    """
    return (*_unlike(radiometry), *_unseen(learnt, truth_px), *_few(learnt), *_below(below))


def _unlike(radiometry: Sequence[RadiometryCheck]) -> Iterator[str]:
    for verdict, what in UNLIKE.items():
        for check in radiometry:
            for remark in check.remarks(verdict):
                yield f"{what} (scene {check.scene}, {remark})."


def _unseen(learnt: Sequence[LearntClass], truth_px: Mapping[str, int]) -> Iterator[str]:
    for c in learnt:
        if c.learning == "unseen":
            labelled = truth_px.get(c.name, 0)
            here = f" The labels of this region have {labelled:,} pixels of it." if labelled else ""
            yield (
                f"No training pixel had the class {c.name}: the network does not know it and maps such ground as "
                f"other classes, however high the confidence is.{here}"
            )


def _few(learnt: Sequence[LearntClass]) -> Iterator[str]:
    for c in learnt:
        if c.learning == "few":
            yield (
                f"Only {c.training_px} training pixels had the class {c.name}, fewer than {FEW_TRAINING_PX:,}: "
                "the network hardly knows it."
            )


def _below(below: Sequence[BelowSingleSensor]) -> Iterator[str]:
    for scene, sensor in dict.fromkeys((entry.scene, entry.sensor) for entry in below):
        entries = [entry for entry in below if (entry.scene, entry.sensor) == (scene, sensor)]
        points = " and ".join(f"{100 * (e.alone - e.fused):.1f} points of {e.figure}" for e in entries)
        figures = " and ".join(f"{e.figure} {100 * e.fused:.1f} % against {100 * e.alone:.1f} %" for e in entries)
        where = "On all compared scenes together" if scene is None else f"On scene {scene}"
        yield (
            f"{where} the map from both sensors scores {points} below {SENSOR_NAMES.get(sensor, sensor)} alone "
            f"({figures}, on the {entries[0].pixels:,} labelled pixels that both sensors see)."
        )
