"""Figures of the accuracy benchmark, from the counts of all networks of a set of places."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from accuracy_conditions import CLEAR, CONDITIONS, DISPLACED, DISTURBED, MASKED, UNMASKED, Condition
from accuracy_counts import COMBINED, Counts, ScoredView
from accuracy_intervals import Figure, Interval, Side, differences, iou_of, miou

from clairemap.outputs import FUSED
from clairemap.settings import VIEWS, View

Networks = Sequence[Sequence[Counts]]
"""Networks of one variant: by fold and seed."""

OVERCAST, OVERCAST_MASKED = UNMASKED[-1], MASKED[-1]


@dataclass(frozen=True)
class Scoring:
    """A view of the networks of one variant under a condition; `only`: on the blocks scored under that condition."""

    networks: Networks
    condition: Condition = CLEAR
    view: ScoredView = FUSED
    only: Condition | None = None

    def sides(self) -> Iterator[Side]:
        """Yield the counts of each fold."""
        for seeds in self.networks:
            sums = np.stack([counts.sums(self.condition, self.view) for counts in seeds])
            if self.only is not None:
                sums *= seeds[0].confusion(self.only).sum((1, 2))[:, None, None] > 0
            yield Side(sums, seeds[0].events)

    def first(self, seeds: int) -> "Scoring":
        """Return the scoring of the trainings with the first seeds alone."""
        return replace(self, networks=[each[:seeds] for each in self.networks])

    def miou(self) -> float:
        """Return the mean IoU, mean over seeds, events and folds."""
        return float(np.mean(self.miou_by_fold()))

    def miou_by_fold(self) -> list[float]:
        """Return the mean IoU of each fold."""
        return [float(np.mean(of_events(side, miou))) for side in self.sides()]


def of_events(side: Side, figure: Figure) -> list[float]:
    """Return a figure of each event, mean over seeds."""
    return [float(figure(side.sums[:, side.events == event].sum(1)).mean()) for event in np.unique(side.events)]


def minus(one: Scoring, other: Scoring, *, rarest: bool = False) -> Interval:
    """Return the paired difference of mean IoU, or of the IoU of each fold's rarest class.

    Paired are the trainings with the seeds that both have.
    """
    seeds = min(len(each.networks[0]) for each in (one, other))
    folds = list(zip(one.first(seeds).sides(), other.first(seeds).sides(), strict=True))
    figures = [iou_of(seeds[0].rarest) if rarest else miou for seeds in one.networks]
    return differences(folds, figures)


def better(first: Networks, second: Networks) -> Networks:
    """Return the better networks of each fold, by their mean over seeds and events."""
    both = zip(first, second, Scoring(first).miou_by_fold(), Scoring(second).miou_by_fold(), strict=True)
    return [one if of_one >= of_other else other for one, other, of_one, of_other in both]


def boosting(of: Mapping[str, Networks]) -> Scoring | None:
    """Return the baseline, with the better normalisation of each fold; None if it was not run."""
    return Scoring(better(of["boosting"], of["boosting scene"])) if "boosting" in of else None


def smallest_of_event(one: Scoring, other: Scoring) -> float:
    """Return the difference of mean IoU of the event in which it is smallest, mean over seeds."""
    return min(
        first - second
        for ours, theirs in zip(one.sides(), other.sides(), strict=True)
        for first, second in zip(of_events(ours, miou), of_events(theirs, miou), strict=True)
    )


def compared(of: Mapping[str, Networks]) -> dict[str, Interval]:
    """Return the differences between variants; those of variants that were not trained are left out."""
    fused = of["fused"]
    found = {"combined_minus_fused": minus(Scoring(fused, view=COMBINED), Scoring(fused))}
    if {"optical", "sar"} <= set(of):
        found["fused_minus_best_single"] = minus(Scoring(fused), Scoring(better(of["optical"], of["sar"])))
    if "sar" in of:
        found["sar_minus_fused_full_cloud"] = minus(Scoring(of["sar"]), Scoring(fused, OVERCAST))
        found["sar_minus_fused_full_cloud_masked"] = minus(Scoring(of["sar"]), Scoring(fused, OVERCAST_MASKED))
    if (boosted := boosting(of)) is not None:
        found["fused_minus_boosting"] = minus(Scoring(fused), boosted)
    if "cross entropy" in of:
        other = Scoring(of["cross entropy"])
        found["rift_minus_ce_miou"] = minus(Scoring(fused), other)
        found["rift_minus_ce_rarest"] = minus(Scoring(fused), other, rarest=True)
    for name in ("sum", "gate", "early"):
        if name in of:
            found[f"cmaf_minus_{name}"] = minus(Scoring(fused), Scoring(of[name]))
    return found


def variants_minus_fused(of: Mapping[str, Networks]) -> dict[str, Interval]:
    """Return the difference of each variant to the defaults."""
    return {name: minus(Scoring(each), Scoring(of["fused"])) for name, each in of.items() if name != "fused"}


def displacement_curves(of: Mapping[str, Networks]) -> dict[str, dict[str, Interval]]:
    """Return CMAF minus simpler fusions by displacement of SAR, on the windows that are scored under conditions."""
    return {
        f"cmaf_minus_{name}_displaced": {
            str(each.displaced_px): minus(*(Scoring(of[both], each, only=DISPLACED[0]) for both in ("fused", name)))
            for each in (CLEAR, *DISPLACED)
        }
        for name in ("sum", "gate")
        if name in of
    }


def fusions_under_conditions(of: Mapping[str, Networks]) -> dict[str, dict[str, dict[str, float]]]:
    """Return CMAF minus simpler fusions under clouds and with disturbed sensors."""
    return {
        f"cmaf_minus_{name}_under": {
            each.name: ends(minus(*(Scoring(of[both], each, only=UNMASKED[0]) for both in ("fused", name))))
            for each in (*UNMASKED, *MASKED, *DISTURBED)
        }
        for name in ("sum", "gate")
        if name in of
    }


def of_misleading(of: Mapping[str, Networks]) -> dict[str, dict[str, Any]]:
    """Return what training with misleading crops and the loss of the gate changes; empty without this variant."""
    if "misleading" not in of:
        return {}
    trained, fused = of["misleading"], of["fused"]
    under = {
        each.name: ends(minus(Scoring(trained, each, only=UNMASKED[0]), Scoring(fused, each, only=UNMASKED[0])))
        for each in CONDITIONS.values()
    }
    return {"shares_misleading": shares(trained), "misleading_minus_fused": under}


def of_alone(of: Mapping[str, Networks]) -> dict[str, dict[str, Any]]:
    """Return what the losses of each sensor alone change in each view; empty without this variant."""
    if "alone" not in of:
        return {}
    views = {view: minus(Scoring(of["alone"], view=view), Scoring(of["fused"], view=view)) for view in VIEWS}
    return {"alone_minus_fused": {view: ends(found) for view, found in views.items()}}


def share_of_disturbed(networks: Networks, condition: Condition) -> float | None:
    """Return the share of blocks in which the share of the condition's sensor falls; None without shares."""
    falls: list[bool] = []
    for counts in (each for seeds in networks for each in seeds):
        clear, under = counts.share(CLEAR), counts.share(condition)
        if clear is None or under is None:
            continue
        change = (under - clear) * (-1 if condition.sensor == "sar" else 1)
        falls += (change[np.isfinite(change)] < 0).tolist()
    return float(np.mean(falls)) if falls else None


SHARE_CONDITIONS = (*DISTURBED, OVERCAST, DISPLACED[-1])


def shares(networks: Networks) -> dict[str, float | None]:
    """Return the shares of blocks by condition; `mean` is over one sensor's gain, offset or noise."""
    found = {each.name: share_of_disturbed(networks, each) for each in SHARE_CONDITIONS}
    known = [found[each.name] for each in DISTURBED if found[each.name] is not None]
    return {"mean": float(np.mean(known)) if known else None, **found}  # type: ignore[arg-type]


def under_conditions(networks: Networks, conditions: Sequence[Condition], view: View = FUSED) -> dict[str, float]:
    """Return the mean IoU as it is and under each condition, on the windows that are scored under conditions."""
    return {each.name: Scoring(networks, each, view, only=conditions[0]).miou() for each in (CLEAR, *conditions)}


def with_ends(key: str, interval: Interval) -> dict[str, float]:
    """Return a difference and the ends of its interval as figures."""
    return {key: interval.value, f"{key}_low": interval.low, f"{key}_high": interval.high}


def ends(interval: Interval) -> dict[str, float]:
    """Return a difference and the ends of its interval."""
    return {"difference": interval.value, "low": interval.low, "high": interval.high}


def rounded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with all numbers rounded to four decimals; NaN becomes None."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    if isinstance(value, float):
        return round(value, 4) if np.isfinite(value) else None
    return value
