"""Tables and figures of the accuracy benchmark for one set of places."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from accuracy_calibration import calibration, conformal
from accuracy_choices import Chosen
from accuracy_conditions import CONDITIONS, Condition
from accuracy_counts import COMBINED, ScoredView
from accuracy_figures import (
    OVERCAST_MASKED,
    Networks,
    Scoring,
    boosting,
    compared,
    displacement_curves,
    ends,
    fusions_under_conditions,
    of_alone,
    of_misleading,
    shares,
    smallest_of_event,
    under_conditions,
    variants_minus_fused,
    with_ends,
)
from accuracy_intervals import Interval

from clairemap.outputs import FUSED
from clairemap.settings import VIEWS, View

Trained = Mapping[str, Networks]
"""The networks of each variant."""

SCORED_VIEWS: tuple[ScoredView, ...] = (*VIEWS, COMBINED)


def report(places: str, of: Trained, chosen: Chosen) -> dict[str, Any]:
    """Print the tables of a set of places and return its figures."""
    fused = of["fused"]
    differences, curves, ablations = compared(of), displacement_curves(of), variants_minus_fused(of)
    views = {view: Scoring(fused, view=view).miou() for view in SCORED_VIEWS}
    conditions = {view: under_conditions(fused, seen_by(view), view) for view in VIEWS}
    falls = shares(fused)
    errors = calibration(fused, chosen.fused) | conformal(fused, chosen.fused)
    print(f"\n{places}: mIoU on held-out places, {len(fused)} folds, {len(fused[0])} trainings of fused in each")
    print_scores(of)
    points = {f"{name} {px}": found for name, curve in curves.items() for px, found in curve.items()}
    print_differences({**differences, **points, **{f"{name} minus fused": each for name, each in ablations.items()}})
    print_views(views, conditions)
    print(f"share of the disturbed sensor falls in: {falls}")
    print(f"calibration error and conformal sets: {errors}")
    return {
        **{key: value for name, found in differences.items() for key, value in with_ends(name, found).items()},
        **worst_fold(differences),
        **worst_event(of),
        **errors,
        "share_of_disturbed": falls["mean"],
        "full_cloud_masked_minus_sar_path": Scoring(fused, OVERCAST_MASKED).miou()
        - Scoring(fused, view="sar", only=OVERCAST_MASKED).miou(),
        "by_fold": {name: list(found.folds) for name, found in differences.items()},
        **{name: {px: ends(found) for px, found in curve.items()} for name, curve in curves.items()},
        "variant_minus_fused": {name: ends(found) for name, found in ablations.items()},
        "shares": falls,
        **fusions_under_conditions(of),
        **of_misleading(of),
        **of_alone(of),
        "miou": {name: Scoring(each).miou() for name, each in of.items()},
        "miou_views": views,
        "miou_conditions": conditions,
        "chosen": {sensors: [json.dumps(each) for each in folds] for sensors, folds in chosen.changes.items()},
        "miou_of_candidates": {sensors: np.mean(folds, axis=0).tolist() for sensors, folds in chosen.reached.items()},
    }


def print_scores(of: Trained) -> None:
    """Print mean IoU and size of each variant."""
    print(f"{'variant':<16}{'mIoU':>8}{'million weights':>18}   by fold")
    for name, each in of.items():
        scores = Scoring(each).miou_by_fold()
        weights = each[0][0].about["parameters"] / 1e6
        print(f"{name:<16}{np.mean(scores):>8.3f}{weights:>18.2f}   {', '.join(f'{score:.3f}' for score in scores)}")


def print_differences(found: Mapping[str, Interval]) -> None:
    """Print differences with their intervals."""
    print("differences, 95 % interval, by fold")
    for key, each in found.items():
        listed = ", ".join(f"{value:+.3f}" for value in each.folds)
        print(f"  {key:<36}{each.value:+.3f}  [{each.low:+.3f}, {each.high:+.3f}]   {listed}")


def print_views(views: Mapping[ScoredView, float], conditions: Mapping[View, Mapping[str, float]]) -> None:
    """Print the mean IoU of a network's views, as they are and under conditions."""
    print("one network: " + ", ".join(f"{view} {score:.3f}" for view, score in views.items()))
    for name in conditions[FUSED]:
        row = (f"{view} {each[name]:.3f}" for view, each in conditions.items() if name in each)
        print(f"  {name:<28}{', '.join(row)}")


def worst_fold(differences: Mapping[str, Interval]) -> dict[str, float]:
    """Return the difference to the better single sensor in the fold where it is smallest, if it was measured."""
    key = "fused_minus_best_single"
    return {f"{key}_worst_fold": min(differences[key].folds)} if key in differences else {}


def worst_event(of: Trained) -> dict[str, float]:
    """Return the difference to gradient boosting of the event where it is smallest, if it was measured."""
    boosted = boosting(of)
    return (
        {}
        if boosted is None
        else {"fused_minus_boosting_worst_event": smallest_of_event(Scoring(of["fused"]), boosted)}
    )


def seen_by(view: View) -> list[Condition]:
    """Return the conditions that change what a view sees."""
    return [each for name, each in CONDITIONS.items() if name != "clear" and view in each.seen_by]
