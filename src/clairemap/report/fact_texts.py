"""The figures behind a sentence of an explanation, in words."""

from collections.abc import Iterator, Sequence

from clairemap.artefacts.explanations import TileFacts
from clairemap.artefacts.tile_reasons import ClassReasons, Deviation, TileReasons
from clairemap.report.numbers import MISSING, percent

TILE_TEXTS = {
    "confidence_pct": "mean confidence {} %",
    "optical_share_pct": "weight of the optical image {} %",
    "cloud_pct": "under cloud {} %",
    "cloud_unknown_pct": "not covered by a cloud mask {} %",
    "mapped_pct": "mapped {} %",
    "mapped_px": "mapped pixels {}",
    "oa_pct": "overall accuracy {} %",
    "labelled_px": "labelled pixels {}",
    "registration": "registration {}",
    "sensor": "sensors: {}",
}
CLASS_TEXTS = {
    "area_pct": "share of the map {} %",
    "mapped_px": "mapped pixels {}",
    "confidence_pct": "mean confidence {} %",
    "iou": "IoU {}",
    "f1": "F1 {}",
    "users_pct": "user's accuracy {} %",
    "producers_pct": "producer's accuracy {} %",
    "label_pct": "share of the labels {} %",
}
SENSORS = {"optical": "the optical image", "sar": "SAR"}


def figures(facts: TileFacts, about: Sequence[str]) -> list[str]:
    """Return the figures that a sentence refers to by their keys, for example ``classes.road.iou``.

    Keys that are not known here are left out.
    """
    known = dict(_texts(facts))
    return [known[key] for key in about if key in known]


def _texts(facts: TileFacts) -> Iterator[tuple[str, str]]:
    """Yield the key and the text of each fact. Keys are built, not parsed: names of classes may contain dots."""
    for key, text in TILE_TEXTS.items():
        yield key, text.format(_shown(getattr(facts, key)))
    yield "unseen", f"classes without training pixels: {', '.join(facts.unseen) or 'none'}"
    for row in facts.classes:
        for key, text in CLASS_TEXTS.items():
            yield f"classes.{row.name}.{key}", f"{row.name}: {text.format(_shown(getattr(row, key)))}"
    for pair in facts.confusions:
        yield f"confusions.{pair.truth}.{pair.mapped}", f"{pair.pct} % of {pair.truth} is mapped as {pair.mapped}"
    for key, text in _reasons(facts.reasons):
        yield f"reasons.{key}", text


def _reasons(reasons: TileReasons) -> Iterator[tuple[str, str]]:
    yield "edge_pct", f"pixels beside another class {reasons.edge_pct} %"
    yield "isolated_pct", f"isolated pixels {reasons.isolated_pct} %"
    for missed in reasons.may_be_missed:
        text = f"{missed.name}: mapped {missed.mapped_pct} %, by the probabilities {missed.expected_pct} %"
        yield f"may_be_missed.{missed.name}", text
    for shift in reasons.shifted:
        yield f"shifted.{shift.quantity}", _deviation(shift)
    if reasons.calibration_scenes is not None:
        yield "calibration_scenes", f"confidences calibrated on {reasons.calibration_scenes} scene(s)"
    if (unseen := reasons.unseen) is not None:
        mean, worst = percent(unseen.ece_mean), percent(unseen.ece_worst)
        yield "unseen", f"calibration error on {unseen.scenes} other scene(s): mean {mean}, worst {worst}"
    for row in reasons.classes:
        for key, text in _class_reasons(row):
            yield f"classes.{row.name}.{key}", f"{row.name}: {text}"


def _class_reasons(row: ClassReasons) -> Iterator[tuple[str, str]]:
    yield "optical_share_pct", f"weight of the optical image {row.optical_share_pct} %"
    yield "margin_pct", f"probability {row.margin_pct} percentage points above that of {row.runner_up}"
    if row.compared:
        yield "compared", f"values compared with training, {len(row.unusual)} unusual"
    for unusual in row.unusual:
        yield f"unusual.{unusual.quantity}", _deviation(unusual)
    if row.record is not None:
        record = row.record
        yield (
            "record",
            f"{record.right_pct} % of {record.px} validation pixels with confidences of {record.from_pct} to "
            f"{record.to_pct} % were right",
        )
    for change in row.without:
        instead = f", {change.instead_pct} % to {change.instead}" if change.instead else ""
        yield f"without.{change.sensor}", f"{change.changed_pct} % changes without {SENSORS[change.sensor]}{instead}"


def _deviation(found: Deviation) -> str:
    return f"{found.quantity} {found.deviations:+.1f} standard deviations from training"


def _shown(value: object) -> object:
    return MISSING if value is None else value
