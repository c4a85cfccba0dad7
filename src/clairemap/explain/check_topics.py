"""Topics of a tile: what to check first."""

from collections.abc import Iterator

from clairemap.artefacts.explanations import TileFacts
from clairemap.explain.accuracy_topics import failing, least_confident
from clairemap.explain.outline import Topic
from clairemap.explain.reason_topics import closest_decision, least_typical
from clairemap.explain.wording import listed, named
from clairemap.levels import NOTABLE_CONFUSION_PCT

Topics = Iterator[Topic]


def checks(facts: TileFacts) -> Topics:
    """What to check first; always at least one topic."""
    found = list(_found_checks(facts))
    if found:
        yield from found
    elif len(facts.shown) > 1:
        yield Topic(
            "check edges",
            "check",
            (
                "Nothing measured stands out; if you check something, check the edges between classes.",
                "No figure points to a certain place to check, so look at the edges between classes.",
            ),
            (),
        )
    else:
        yield Topic(
            "check others",
            "check",
            (
                f"Check with another source whether this tile contains anything but {named(facts.largest.name)}.",
                f"What is left to check is whether there is anything but {named(facts.largest.name)}.",
            ),
            (f"classes.{facts.largest.name}.area_pct",),
        )


def _found_checks(facts: TileFacts) -> Topics:
    if missed := [c.name for c in facts.missed]:
        names = listed(missed)
        yield _check(
            "missed", f"look for {names}, which the labels contain and the map lacks", f"classes.{missed[0]}.iou", 0.9
        )
    if weak := failing(facts):
        name = weak[0].name
        yield _check("weak", f"check {named(name)}, which does not match the labels well", f"classes.{name}.iou", 0.8)
    if facts.unseen:
        yield _check("unseen", f"look in another source for {listed(facts.unseen)}", "unseen", 0.85)
    if c := least_confident(facts):
        yield _check(
            "unsure",
            f"check {named(c.name)}, where the network is less sure than elsewhere",
            f"classes.{c.name}.confidence_pct",
            0.6,
        )
    if facts.confusions and facts.confusions[0].pct >= NOTABLE_CONFUSION_PCT:
        pair = facts.confusions[0]
        check = f"see whether areas mapped as {named(pair.mapped)} are in fact {named(pair.truth)}"
        yield _check("confused", check, f"confusions.{pair.truth}.{pair.mapped}", 0.7)
    yield from _checks_of_reasons(facts)
    if facts.clouds == "heavy":
        yield _check("clouds", "compare the clouded part with a clear image", "cloud_pct", 0.5)
    if facts.registration in ("weak", "rejected"):
        yield _check("edges", "check whether edges lie where the optical image shows them", "registration", 0.55)


def _checks_of_reasons(facts: TileFacts) -> Topics:
    if c := least_typical(facts):
        name, about = named(c.name), f"reasons.classes.{c.name}.unusual.{c.unusual[0].quantity}"
        yield _check("unusual", f"check {name}, which looks unlike the {name} of the training", about, 0.75)
    if c := closest_decision(facts):
        what = f"see whether areas mapped as {named(c.name)} are in fact {named(c.runner_up)}"
        yield _check("runner-up", what, f"reasons.classes.{c.name}.margin_pct", 0.58)
    if missed := facts.reasons.may_be_missed:
        name = missed[0].name
        yield _check(
            "may be missed", f"look for {named(name)} that the map does not show", f"reasons.may_be_missed.{name}", 0.72
        )


def _check(key: str, what: str, about: str, salience: float) -> Topic:
    return Topic(
        f"check {key}",
        "check",
        (f"First, {what}.", f"Before you use this tile, {what}.", f"If you check one thing, {what}."),
        (about,),
        salience=salience,
    )
