"""Answers of interpreters, checked against the design of the sample and the legend."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairemap.accuracy.answers import EXAMPLES, Answer, examples
from clairemap.accuracy.sample_files import moved
from clairemap.artefacts.sample_design import SampleDesign
from clairemap.classes import Legend
from clairemap.errors import SampleError
from clairemap.text import shortened

UNANSWERED = -1
"""Class of units without an answer."""


@dataclass(frozen=True)
class Interpretation:
    """The class of each unit of the design, 0-based, or `UNANSWERED`, in the design's order, (unit,).

    `second` has the answers of a second interpreter; `missing` counts units without a row in the file.
    """

    reference: NDArray[np.intp]
    second: NDArray[np.intp]
    missing: int

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Units with an answer, (unit,)."""
        return np.asarray(self.reference != UNANSWERED, np.bool_)


def interpreted(path: Path, answers: Sequence[Answer], design: SampleDesign, legend: Legend) -> Interpretation:
    """Return the answers for the units of a design; units without an answer or a row are `UNANSWERED`.

    Classes are names or codes of the legend.

    Raises:
        SampleError: the file has units that are not in the design or at another place, a unit twice with different
            answers, classes that are not in the legend, or no answer. The message lists all of these.
    """
    classes = _class_names(legend)
    of_unit: dict[str, Answer] = {}
    differing = set()
    for answer in answers:
        if of_unit.setdefault(answer.id, answer) != answer:
            differing.add(answer.id)
    texts = [text for answer in answers for text in (answer.reference, answer.second) if text]
    faults = [
        *_foreign(of_unit, design),
        *moved(answers, design),
        *([f"{len(differing)} unit(s) occur twice with different answers: {examples(differing)}"] if differing else []),
        *_unknown_classes(texts, classes, legend),
        *([] if any(answer.is_given for answer in answers) else ["no unit has a reference class"]),
    ]
    if faults:
        raise SampleError(f"{path}: {len(faults)} error(s)\n" + "\n".join(f"  {fault}" for fault in faults))
    found = [of_unit.get(unit.id) for unit in design.units]
    return Interpretation(
        _indices([each.reference if each else "" for each in found], classes),
        _indices([each.second if each else "" for each in found], classes),
        found.count(None),
    )


def _foreign(of_unit: Mapping[str, Answer], design: SampleDesign) -> list[str]:
    foreign = of_unit.keys() - {unit.id for unit in design.units}
    if not foreign:
        return []
    if len(foreign) == len(of_unit):
        return [
            f"none of its units is in the sample that was drawn from {design.map} with seed {design.seed}: it belongs "
            "to another map, seed or version of the sample; name the file that was filled in for this sample"
        ]
    return [f"{len(foreign)} unit(s) are not in the sample: {examples(foreign)}; remove these rows"]


def _unknown_classes(texts: Sequence[str], classes: Mapping[str, int], legend: Legend) -> list[str]:
    unknown = Counter(text for text in texts if _key(text) not in classes)
    if not unknown:
        return []
    listed = shortened([f"{text!r} ({count} times)" for text, count in unknown.most_common()], EXAMPLES)
    known = ", ".join(f"{each.code} or {each.name}" for each in legend.classes)
    return [f"classes that are not in the legend: {listed}; use {known}"]


def _class_names(legend: Legend) -> dict[str, int]:
    """Return the index of each class by its name and its code, as keys."""
    by_code = {str(each.code): index for index, each in enumerate(legend.classes)}
    return by_code | {_key(each.name): index for index, each in enumerate(legend.classes)}


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _indices(texts: Sequence[str], classes: Mapping[str, int]) -> NDArray[np.intp]:
    return np.array([classes[_key(text)] if text else UNANSWERED for text in texts], np.intp)
