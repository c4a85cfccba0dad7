"""Places, folds and variants of the accuracy benchmark, and the settings that are chosen on training places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Changes = Mapping[str, Mapping[str, Any]]
"""Settings that differ from the defaults, by section."""

MADE_SCENES = 2
"""Scenes of each made region."""


@dataclass(frozen=True)
class Fold:
    """Training scenes and test scenes; `prepared` is the folder of the run that tiled them."""

    name: str
    prepared: str
    train: tuple[str, ...]
    test: tuple[str, ...]


def event_of(scene: str) -> str:
    """Return the event or region of a scene: flood_a of flood_a, made_b of made_b_2."""
    return "_".join(scene.split("_")[:2])


EVENTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "floods": {f"flood_{letter}": (f"flood_{letter}",) for letter in "abcdef"},
    "made": {
        f"made_{letter}": tuple(f"made_{letter}_{number}" for number in range(MADE_SCENES)) for letter in "abcdef"
    },
    "small": {name: (name,) for name in ("147_22", "158_21", "181_19", "25_21", "28_11", "82_1", "82_10", "85_24")},
}
"""Scenes of each event of the sets of places: real flood events, made regions, small scenes of WHU-OPT-SAR."""


def _folds(places: str) -> Iterator[Fold]:
    names = list(EVENTS[places])
    for held_out in zip(names[::2], names[1::2], strict=True):
        train, test = (
            tuple(scene for name in names if (name in held_out) == is_test for scene in EVENTS[places][name])
            for is_test in (False, True)
        )
        yield Fold(f"{places} {'+'.join(held_out)}", places, train, test)


FOLDS: Mapping[str, tuple[Fold, ...]] = {
    **{places: tuple(_folds(places)) for places in EVENTS},
    "quick": (Fold("quick", "quick", ("made_a_0",), ("made_b_0",)),),
}
"""Folds of each set of places. Each event is held out once, two at a time. "quick": for test runs."""


def inner_folds(fold: Fold) -> tuple[Fold, ...]:
    """Return the folds in which settings of a fold are chosen: each holds out half of its training events."""
    events = list(dict.fromkeys(map(event_of, fold.train)))
    halves = events[: len(events) // 2], events[len(events) // 2 :]
    if not all(halves):
        return ()
    first, second = (tuple(scene for scene in fold.train if event_of(scene) in half) for half in halves)
    return tuple(
        Fold(f"{fold.name}, inner {number}", fold.prepared, train, test)
        for number, (train, test) in enumerate(((first, second), (second, first)))
    )


_RADIOMETRY: tuple[Changes, ...] = ({}, {"training": {"normalisation": "scene", "rare_class_share": 0.0}})
CHOICES: Mapping[str, tuple[Changes, ...]] = dict.fromkeys(EVENTS, _RADIOMETRY)
"""Candidates of each set of places. The best one is chosen in the inner folds of each fold, for networks of both
sensors and of each alone; the variants have the settings chosen for their sensors."""

CROSS_ENTROPY = {"balance": 1.0, "focal_gamma": 0.0, "class_weights": "none"}
VARIANTS: Mapping[str, Changes] = {
    "fused": {},
    "optical": {"network": {"sensors": "optical"}},
    "sar": {"network": {"sensors": "sar"}},
    "cross entropy": {"loss": CROSS_ENTROPY},
    "sum": {"network": {"fusion": "sum"}},
    "gate": {"network": {"fusion": "gate"}},
    "early": {"network": {"fusion": "early"}},
    "alone": {"training": {"alone_weight": 0.5}},
    "misleading": {"training": {"gate_weight": 0.2}, "augmentation": {"misleading": 0.3}},
}
"""Settings of each variant that differ from the defaults; `fused` is CLAIRE with RIFT, unchanged."""

REPEATED = ("fused", "optical", "sar", "cross entropy", "sum", "gate")
"""Variants of the main comparisons: trained with all seeds. The others are trained with the first alone."""

ABLATIONS: Mapping[str, Changes] = {
    "gains": {"augmentation": {"optical_gain": 0.5, "sar_gain": 0.5}},
    "average": {"training": {"ema_decay": 0.98}},
    "validated": {"validation": {"scenes": 1}, "training": {"validate_every": 50}},
    "longer": {"training": {"steps": 1200}},
    "class weights": {"loss": {"tversky_class_weights": "inverse_sqrt"}},
    "large crops": {"training": {"crop_px": 256, "batch_size": 2}},
    "dropout": {"training": {"sensor_dropout": 0.4}},
}
"""Variants that are trained only if they are named.

`validated`: the last training scene is a validation scene, and the best weights on it are kept. `longer`: three times
the default `--steps`. `large crops`: with as many pixels in a step."""

ALL_VARIANTS: Mapping[str, Changes] = {**VARIANTS, **ABLATIONS}


def merged(*changes: Changes) -> dict[str, dict[str, Any]]:
    """Return the changes as one; later ones win."""
    found: dict[str, dict[str, Any]] = {}
    for each in changes:
        for section, values in each.items():
            found[section] = {**found.get(section, {}), **values}
    return found
