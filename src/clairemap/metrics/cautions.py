"""Warnings to read before using a region's map, for its report and `metrics.json`."""

from collections.abc import Iterator, Mapping, Sequence

from clairemap.artefacts.metrics import BelowSingleSensor, ClassSupport
from clairemap.artefacts.radiometry_check import RadiometryCheck, RadiometryVerdict
from clairemap.metrics.class_support import FEW_TRAINING_PX
from clairemap.text import shortened

NAMES_SHOWN = 12
"""Maximum number of classes named in a warning; the table in the report lists all."""

SENSOR_NAMES = {"optical": "the optical image", "sar": "SAR"}
RADIOMETRY_TEXTS: dict[RadiometryVerdict, str] = {
    "mismatch": "the values do not match those of the training scenes, so the map is probably wrong",
    "mild": "the values differ from those of the training scenes",
}


def cautions(
    learnt: Sequence[ClassSupport],
    truth_px: Mapping[str, int],
    missed_px: Mapping[str, int],
    below: Sequence[BelowSingleSensor],
    radiometry: Sequence[RadiometryCheck] = (),
    labels_product: str | None = None,
) -> tuple[str, ...]:
    """Return the warnings; empty if there are none.

    Args:
        learnt: all classes with their training pixels.
        truth_px: labelled pixels of the region in all splits, by class name.
        missed_px: labelled pixels of the headline split, by class name, of classes without a correctly mapped pixel.
        below: figures for which both sensors score below one.
        radiometry: comparison of the scenes' values with the training scenes.
        labels_product: land-cover product that the labels come from; None: they are ground truth.
    """
    unseen = {c.name for c in learnt if c.learning == "unseen"}
    missed = {name: pixels for name, pixels in missed_px.items() if name not in unseen}
    return (
        *_weak_labels(labels_product),
        *_radiometry_cautions(radiometry),
        *_unseen(learnt, truth_px),
        *_few(learnt),
        *_missed(missed),
        *_below_single_sensor_text(below),
    )


def _weak_labels(product: str | None) -> Iterator[str]:
    if product is not None:
        yield (
            f"The labels are the land-cover product {product}, not ground truth: the network learnt this product with "
            "its errors, and all accuracy figures are agreement with it. The accuracy of the map is unknown."
        )


def _radiometry_cautions(radiometry: Sequence[RadiometryCheck]) -> Iterator[str]:
    for verdict, text in RADIOMETRY_TEXTS.items():
        for check in radiometry:
            for remark in check.remarks(verdict):
                yield f"Scene {check.scene}: {text} ({remark})."


def _unseen(learnt: Sequence[ClassSupport], truth_px: Mapping[str, int]) -> Iterator[str]:
    names = [c.name for c in learnt if c.learning == "unseen"]
    if names:
        labelled = [f"{truth_px[name]:,} pixels of {name}" for name in names if truth_px.get(name)]
        in_region = f" The labels of this region include {', '.join(labelled)}." if labelled else ""
        yield (
            f"The training data had no pixels of the {_class_list(names)}: the network cannot map "
            f"{'it' if len(names) == 1 else 'them'} and assigns other classes, possibly with high confidence."
            f"{in_region}"
        )


def _few(learnt: Sequence[ClassSupport]) -> Iterator[str]:
    few = [c for c in learnt if c.learning == "few"]
    if few:
        pixels = ", ".join(f"{c.name} {c.training_px}" for c in few)
        yield (
            f"The training data had fewer than {FEW_TRAINING_PX:,} pixels of the {_class_list([c.name for c in few])} "
            f"({pixels}): the map of {'this class' if len(few) == 1 else 'these classes'} is not reliable."
        )


def _missed(missed_px: Mapping[str, int]) -> Iterator[str]:
    if missed_px:
        pixels = ", ".join(f"{name} ({pixels:,})" for name, pixels in missed_px.items())
        yield f"None of the scored pixels labelled {pixels} are mapped correctly."


def _class_list(names: Sequence[str]) -> str:
    return f"{'class' if len(names) == 1 else 'classes'} {shortened(names, NAMES_SHOWN)}"


def _below_single_sensor_text(below: Sequence[BelowSingleSensor]) -> Iterator[str]:
    for scene, sensor in dict.fromkeys((entry.scene, entry.sensor) for entry in below):
        entries = [entry for entry in below if (entry.scene, entry.sensor) == (scene, sensor)]
        points = " and ".join(f"{100 * (e.alone - e.fused):.1f} points of {e.figure}" for e in entries)
        figures = " and ".join(f"{e.figure} {100 * e.fused:.1f} % instead of {100 * e.alone:.1f} %" for e in entries)
        where = "On all compared scenes together" if scene is None else f"On scene {scene}"
        yield (
            f"{where}, the map from both sensors scores {points} below {SENSOR_NAMES.get(sensor, sensor)} alone "
            f"({figures}, on {entries[0].pixels:,} labelled pixels seen by both sensors)."
        )
