"""Topics of a tile: what to check first."""

from clairemap.artefacts.explanations import Confused, TileFacts
from clairemap.explain.accuracy_topics import failing, least_confident
from clairemap.explain.outline import Topic, Topics
from clairemap.explain.reason_topics import closest_decision, least_typical, most_missed
from clairemap.explain.wording import listed, named
from clairemap.levels import NOTABLE_CONFUSION_PCT, UNBALANCED, UNBALANCED_PCT


def checks(facts: TileFacts) -> Topics:
    """What to check first; always at least one topic."""
    found = list(_found_checks(facts))
    if found:
        yield from found
    elif len(facts.shown) > 1:
        texts = (
            "No figure stands out; check the edges between classes.",
            "No figure points to a certain place to check, so look at the edges between classes.",
        )
        yield Topic("check edges", "check", texts, ())
    else:
        texts = (
            f"Check with another source whether this tile contains anything but {named(facts.largest.name)}.",
            f"Check whether the tile contains anything but {named(facts.largest.name)}.",
        )
        yield Topic("check others", "check", texts, (f"classes.{facts.largest.name}.area_pct",))


def _found_checks(facts: TileFacts) -> Topics:
    if missed := [c.name for c in facts.missed]:
        what = f"look for {listed(missed)}, which the labels contain and the map lacks"
        yield _check("missed", what, 0.9, f"classes.{missed[0]}.iou")
    if weak := failing(facts):
        worst, about = weak[0], f"classes.{weak[0].name}"
        what = what_to_check(worst.name, worst.producers_pct or 0, worst.users_pct)
        yield _check("weak", what, 0.8, f"{about}.producers_pct", f"{about}.users_pct")
    if facts.unseen:
        yield _check("unseen", f"look in another source for {listed(facts.unseen)}", 0.85, "unseen")
    if c := least_confident(facts):
        what = f"check {named(c.name)}, where the network is less sure than elsewhere"
        yield _check("unsure", what, 0.6, f"classes.{c.name}.confidence_pct")
    if pair := _notable_confusion(facts):
        what = f"see whether areas mapped as {named(pair.mapped)} are in fact {named(pair.truth)}"
        yield _check("confused", what, 0.7, f"confusions.{pair.truth}.{pair.mapped}")
    yield from _checks_of_reasons(facts)
    if facts.clouds == "heavy":
        yield _check("clouds", "compare the clouded part with a clear image", 0.5, "cloud_pct")
    if facts.registration in ("weak", "rejected"):
        yield _check("edges", "check whether edges are where the optical image shows them", 0.55, "registration")


def what_to_check(name: str, producers_pct: float, users_pct: float | None) -> str:
    """Return what to check of a class that does not match the labels, by its user's and producer's accuracy."""
    if users_pct is None or (users_pct - producers_pct >= UNBALANCED_PCT and producers_pct * UNBALANCED <= users_pct):
        return f"look for {named(name)} that is mapped as another class: the map shows too little of it"
    if producers_pct - users_pct >= UNBALANCED_PCT and producers_pct >= UNBALANCED * users_pct:
        return f"check the area mapped as {named(name)}: the map shows too much of it"
    return f"check {named(name)}, which the map misses in some places and shows wrongly in others"


def _notable_confusion(facts: TileFacts) -> Confused | None:
    return next((pair for pair in facts.confusions[:1] if pair.pct >= NOTABLE_CONFUSION_PCT), None)


def _checks_of_reasons(facts: TileFacts) -> Topics:
    if c := least_typical(facts):
        name, quantity = named(c.name), c.unusual[0].quantity
        what = f"check {name}, which looks unlike the {name} of the training"
        yield _check("unusual", what, 0.75, f"reasons.classes.{c.name}.unusual.{quantity}")
    pair = _notable_confusion(facts)
    if (c := closest_decision(facts)) and (pair is None or (pair.mapped, pair.truth) != (c.name, c.runner_up)):
        what = f"see whether areas mapped as {named(c.name)} are in fact {named(c.runner_up)}"
        yield _check("runner-up", what, 0.58, f"reasons.classes.{c.name}.margin_pct")
    if missed := most_missed(facts):
        what = f"look for {named(missed.name)} that the map does not show"
        yield _check("may be missed", what, 0.72, f"reasons.may_be_missed.{missed.name}")


def _check(key: str, what: str, salience: float, *about: str) -> Topic:
    return Topic(
        f"check {key}",
        "check",
        (f"First, {what}.", f"Before you use this tile, {what}.", f"If you check one thing, {what}."),
        about,
        salience=salience,
    )
