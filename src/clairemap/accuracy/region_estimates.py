"""Accuracy and areas of a region from an interpreted sample, with what a reader must know about them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.accuracy.assessment import FEWEST_UNITS, Assessment, InterpretedSample, assess
from clairemap.accuracy.estimators import Estimate, Strata, share
from clairemap.accuracy.interpretation import UNANSWERED, Interpretation
from clairemap.accuracy.redraw import DRAW_AGAIN
from clairemap.accuracy.zone_areas import FEWEST_IN_A_ZONE, ZoneCounts, by_zone
from clairemap.artefacts.estimates import (
    Agreement,
    AreaEstimates,
    ClassEstimates,
    Figure,
    StratumRow,
    ZoneClass,
    ZoneEstimates,
)
from clairemap.artefacts.sample_design import SampleDesign
from clairemap.classes import Legend
from clairemap.errors import SampleError
from clairemap.text import shortened

M2_PER_HA = 10_000
TRUSTED_UNITS = 20
"""Units of a stratum or class below which intervals are unreliable: see `coverage_rare` of benchmarks/area.py."""

MANY_UNANSWERED = 0.05
"""Share of unanswered units above which they are a caution."""

OTHER_GROUND = 0.001
"""Difference of the mapped area from that of the sampled map, relative to the latter, above which it is a caution."""

ESTIMATOR = (
    "stratified random sample; Stehman 2014 (equal to Olofsson et al. 2014 where the strata are the mapped classes); "
    "95 % intervals: of areas from Jeffreys' limits of the strata (Zou and Donner 2008), of accuracies Wilson's with "
    "the effective sample size, of areas by zone the wider ones of Wilson's and of +-1.96 standard errors"
)


@dataclass(frozen=True)
class AssessedMap:
    """The map that is assessed.

    Attributes:
        sha256: hash of its file.
        classes: class of each unit of the design, 0-based, (unit,); `UNANSWERED` where the map has none.
        class_m2: area of each class's pixels, (class,).
        zones: its zones.
    """

    sha256: str
    classes: NDArray[np.intp]
    class_m2: NDArray[np.float64]
    zones: ZoneCounts | None = None


def region_estimates(
    region: str,
    design: SampleDesign,
    answers: Interpretation,
    assessed: AssessedMap,
    legend: Legend,
    stamp: dict[str, str],
) -> AreaEstimates:
    """Return the estimates of a region.

    Unanswered units are left out: their stratum is represented by its answered units. They are counted, and a caution
    says so.

    Raises:
        SampleError: a stratum has fewer than 2 answered units, or the map has no class at an answered unit.
    """
    used = answers.answered
    _check_mapped(design, assessed, used)
    strata = _strata(design, used)
    _check_strata(design, strata)
    sample = InterpretedSample(assessed.classes[used], answers.reference[used], strata, len(legend))
    found = assess(sample)
    rows = _stratum_rows(design, strata)
    classes = _class_rows(found, sample, assessed.class_m2 / M2_PER_HA, legend)
    zones = _zone_rows(sample, used, assessed, legend)
    return AreaEstimates(
        region=region,
        overall=_figure(found.overall),
        classes=classes,
        matrix=tuple(tuple(float(cell) for cell in row) for row in found.matrix),
        quantity_disagreement=found.quantity_disagreement,
        allocation_disagreement=found.allocation_disagreement,
        design_effect=None if np.isnan(found.design_effect) else found.design_effect,
        strata=rows,
        zones=zones,
        units=len(design.units),
        answered=int(used.sum()),
        agreement=_agreement(answers),
        area_method=design.area_method,
        estimator=ESTIMATOR,
        sampled_map_sha256=design.map_sha256,
        map_sha256=assessed.sha256,
        cautions=(*_cautions(design, answers, assessed, classes, rows), *_zone_cautions(assessed, zones)),
        stamp=stamp,
    )


def _strata(design: SampleDesign, used: NDArray[np.bool_]) -> Strata:
    return Strata(
        np.array([unit.stratum for unit in design.units], np.intp)[used],
        np.array([each.pixels for each in design.strata], np.float64),
        np.array([each.area_m2 for each in design.strata], np.float64) / M2_PER_HA,
        np.array([unit.area_m2 for unit in design.units], np.float64)[used],
    )


def _check_mapped(design: SampleDesign, assessed: AssessedMap, used: NDArray[np.bool_]) -> None:
    if unmapped := int((used & (assessed.classes == UNANSWERED)).sum()):
        raise SampleError(
            f"{design.map}: the map has no class at {unmapped} of {int(used.sum())} answered units, so that it covers "
            f"less ground than the map from which the sample was drawn; map the missing scenes, or {DRAW_AGAIN}"
        )


def _check_strata(design: SampleDesign, strata: Strata) -> None:
    few = [
        f"{each.name} ({int(units)} of {each.units})"
        for each, units in zip(design.strata, strata.units, strict=True)
        if each.pixels and units < min(FEWEST_UNITS, each.pixels)
    ]
    if few:
        raise SampleError(
            f"{design.map}: fewer than {FEWEST_UNITS} answered units in strata {', '.join(few)}; answer more units: "
            "the file need not be complete, but each stratum needs some"
        )


def _class_rows(
    found: Assessment, sample: InterpretedSample, counted_ha: NDArray[np.float64], legend: Legend
) -> tuple[ClassEstimates, ...]:
    return tuple(
        ClassEstimates(
            name=each.name,
            code=each.code,
            area_ha=_figure(found.areas[index]),
            counted_ha=float(counted_ha[index]),
            misleading=not found.areas[index].low <= counted_ha[index] <= found.areas[index].high,
            users_accuracy=_known(found.users[index]),
            producers_accuracy=_known(found.producers[index]),
            f1=_known(found.f1[index]),
            map_units=int((sample.mapped == index).sum()),
            reference_units=(units := int((sample.reference == index).sum())),
            too_few=units < TRUSTED_UNITS,
        )
        for index, each in enumerate(legend.classes)
    )


def _stratum_rows(design: SampleDesign, strata: Strata) -> tuple[StratumRow, ...]:
    return tuple(
        StratumRow(
            name=each.name,
            pixels=each.pixels,
            area_ha=each.area_m2 / M2_PER_HA,
            drawn=each.units,
            answered=int(units),
            too_few=bool(each.pixels and units < min(TRUSTED_UNITS, each.pixels)),
        )
        for each, units in zip(design.strata, strata.units, strict=True)
    )


def _zone_rows(
    sample: InterpretedSample, used: NDArray[np.bool_], assessed: AssessedMap, legend: Legend
) -> tuple[ZoneEstimates, ...]:
    found = by_zone(sample, assessed.zones, used, assessed.class_m2 / M2_PER_HA) if assessed.zones else ()
    return tuple(
        ZoneEstimates(
            name=zone.name,
            mapped_ha=float(zone.counted_ha.sum()),
            units=zone.units,
            classes=tuple(
                ZoneClass(
                    name=each.name,
                    code=each.code,
                    counted_ha=float(zone.counted_ha[index]),
                    area_ha=_figure(zone.ha[index]) if zone.ha else None,
                )
                for index, each in enumerate(legend.classes)
            ),
        )
        for zone in found
    )


def _zone_cautions(assessed: AssessedMap, zones: Sequence[ZoneEstimates]) -> list[str]:
    few = [zone.name for zone in zones if zone.units < FEWEST_IN_A_ZONE]
    text = f"Fewer than {FEWEST_IN_A_ZONE} units are in zone {shortened(few, 5)}: its areas are only counted."
    return [*(assessed.zones.remarks if assessed.zones else ()), *([text] if few else [])]


def _agreement(answers: Interpretation) -> Agreement | None:
    """Return the agreement of two interpreters over the units that both answered, each unit counted once."""
    both = answers.answered & (answers.second != UNANSWERED)
    units = int(both.sum())
    if not units:
        return None
    same = (answers.reference == answers.second)[both].astype(np.float64)
    alike = Strata(np.zeros(units, np.intp), np.array([np.inf]), np.array([1.0]), np.ones(units))
    return Agreement(units=units, share=_figure(share(alike, same, np.ones(units))))


def _cautions(
    design: SampleDesign,
    answers: Interpretation,
    assessed: AssessedMap,
    classes: Sequence[ClassEstimates],
    strata: Sequence[StratumRow],
) -> list[str]:
    unanswered = int((~answers.answered).sum())
    found = []
    if unanswered:
        many = unanswered > MANY_UNANSWERED * len(design.units)
        found.append(
            f"{unanswered} of {len(design.units)} units have no reference class ({answers.missing} are not in the "
            "file): the answered units of their stratum stand for them."
            + (" If these are the difficult places, the map looks better than it is." if many else "")
        )
    if few := [row.name for row in classes if row.too_few]:
        found.append(
            f"Fewer than {TRUSTED_UNITS} units are of class {shortened(few, 5)} in the reference: its intervals are "
            "too narrow in some samples."
        )
    if few := [row.name for row in strata if row.too_few]:
        found.append(f"Fewer than {TRUSTED_UNITS} answered units in stratum {shortened(few, 5)}.")
    if assessed.sha256 != design.map_sha256:
        found.append(
            "The sample was drawn from an earlier map; its strata are those of the earlier map, and the estimates "
            "allow for it."
        )
    sampled_ha = sum(each.area_m2 for each in design.strata) / M2_PER_HA
    mapped_ha = float(assessed.class_m2.sum()) / M2_PER_HA
    if abs(mapped_ha - sampled_ha) > OTHER_GROUND * sampled_ha:
        found.append(
            f"The map covers {mapped_ha:.6g} ha, but the sample was drawn from {sampled_ha:.6g} ha: the estimates are "
            "of the ground of the earlier map, the counted areas of that of this map, so they cannot be compared; "
            f"{DRAW_AGAIN}."
        )
    return found


def _known(estimate: Estimate) -> Figure | None:
    return None if np.isnan(estimate.value) else _figure(estimate)


def _figure(estimate: Estimate) -> Figure:
    return Figure(value=estimate.value, standard_error=estimate.standard_error, low=estimate.low, high=estimate.high)
