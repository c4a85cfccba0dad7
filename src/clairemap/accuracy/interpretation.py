"""Answers of interpreters, checked against the design of the sample and the legend."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
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

REWRITTEN = re.compile(r"[\d.,'\s]+(e\+?\d+)?", re.IGNORECASE)
"""Ids as spreadsheets show them: with separators or powers of ten."""


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
            answers, classes that are not in the legend or have another code now, or no answer. The message lists all.
    """
    classes = _class_names(legend)
    of_unit: dict[str, Answer] = {}
    differing = set()
    named = [answer for answer in answers if answer.id]
    for answer in named:
        if of_unit.setdefault(answer.id, answer) != answer:
            differing.add(answer.id)
    texts = [text for answer in answers for text in (answer.reference, answer.second) if text]
    faults = [
        *_foreign(of_unit, design),
        *([f"{unnamed} row(s) have no id; enter it, or remove them"] if (unnamed := len(answers) - len(named)) else []),
        *moved(answers, design),
        *([f"{len(differing)} unit(s) occur twice with different answers: {examples(differing)}"] if differing else []),
        *_unknown_classes(texts, classes, legend),
        *_ambiguous_classes(texts, classes, legend),
        *_changed_codes(texts, design, legend),
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
    rewritten = sorted(name for name in foreign if not name.isdigit() and REWRITTEN.fullmatch(name))
    if rewritten:
        return [
            f"{len(rewritten)} id(s) were rewritten by a spreadsheet, such as {rewritten[0]!r}: copy the column of ids "
            "from the sample's files, and format it as text"
        ]
    if len(foreign) == len(of_unit):
        return [
            f"none of its units is in the sample that was drawn from {design.map} with seed {design.seed}: it belongs "
            "to another map, seed or version of the sample; name the file that was filled in for this sample"
        ]
    return [f"{len(foreign)} unit(s) are not in the sample: {examples(foreign)}; remove these rows"]


def _unknown_classes(texts: Sequence[str], classes: Mapping[str, Collection[int]], legend: Legend) -> list[str]:
    unknown = Counter(text for text in texts if _key(text) not in classes)
    if not unknown:
        return []
    listed = shortened([f"{text!r} ({count} times)" for text, count in unknown.most_common()], EXAMPLES)
    known = ", ".join(f"{each.code} or {each.name}" for each in legend.classes)
    return [f"classes that are not in the legend: {listed}; use {known}"]


def _ambiguous_classes(texts: Sequence[str], classes: Mapping[str, Collection[int]], legend: Legend) -> list[str]:
    label = [f"{each.code} {each.name!r}" for each in legend.classes]
    found = Counter(text for text in texts if len(classes.get(_key(text), ())) > 1)
    return [
        f"{text!r} ({count} times) is the name or code of several classes: "
        f"{', '.join(label[index] for index in classes[_key(text)])}; "
        "enter the other one of both, or change the names in the legend and the answers"
        for text, count in found.most_common()
    ]


def _changed_codes(texts: Sequence[str], design: SampleDesign, legend: Legend) -> list[str]:
    """Return a text on codes that meant other classes in the legend of the sampled map, from its strata's names."""
    now = {each.code: each.name for each in legend.classes}
    then = {
        unit.map_code: name
        for unit in design.units
        if not (name := design.strata[unit.stratum].name).rpartition(": ")[2].startswith("near ")
    }
    changed = {
        str(code): f"{name!r}, now {now[code]!r}"
        for code, name in then.items()
        if code in now and not f": {_key(name)}".endswith(f": {_key(now[code])}")
    }
    used = Counter(text for text in texts if text in changed)
    return [
        f"code {text} ({count} times) had another class when the sample was drawn: {changed[text]}; "
        "enter names of classes"
        for text, count in used.most_common()
    ]


def _class_names(legend: Legend) -> dict[str, Collection[int]]:
    """Return the indices of the classes by their names and codes, as keys."""
    found: dict[str, dict[int, None]] = {}
    for index, each in enumerate(legend.classes):
        for text in (str(each.code), _key(each.name)):
            found.setdefault(text, {})[index] = None
    return {text: tuple(indices) for text, indices in found.items()}


def _key(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip().casefold()


def _indices(texts: Sequence[str], classes: Mapping[str, Collection[int]]) -> NDArray[np.intp]:
    return np.array([next(iter(classes[_key(text)])) if text else UNANSWERED for text in texts], np.intp)
