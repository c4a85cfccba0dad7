"""Accuracy and areas of a region's map, estimated from an interpreted sample: ``estimates.json``."""

import csv
import io
from pathlib import Path

from clairemap.artefacts.document import DocumentModel, read_document, write_document
from clairemap.provenance import write_text_whole

TABLE_HEADER = ("zone", "class", "code", "figure", "value", "standard_error", "low", "high")


class Figure(DocumentModel):
    """An estimate, its standard error and the limits of its 95 % interval."""

    value: float
    standard_error: float
    low: float
    high: float


class ClassEstimates(DocumentModel):
    """Estimates of a class; accuracies 0..1, areas in hectares; None if unknown.

    `counted_ha` is the area of the class's pixels in the sampled map. `misleading` says whether it is outside the
    interval of `area_ha`. `reference_units` and `map_units` count units; `too_few` says that they are too few to trust
    the class's intervals.
    """

    name: str
    code: int
    area_ha: Figure
    counted_ha: float
    misleading: bool
    users_accuracy: Figure | None
    producers_accuracy: Figure | None
    f1: Figure | None
    map_units: int
    reference_units: int
    too_few: bool


class StratumRow(DocumentModel):
    """A stratum: pixels, hectares, drawn and answered units; `too_few` answered to trust the estimates."""

    name: str
    pixels: int
    area_ha: float
    drawn: int
    answered: int
    too_few: bool


class ZoneClass(DocumentModel):
    """Area of a class in a zone, in hectares: counted with fractions of pixels, and estimated (None: too few units)."""

    name: str
    code: int
    counted_ha: float
    area_ha: Figure | None


class ZoneEstimates(DocumentModel):
    """A zone: name, mapped hectares, answered units in it, and its classes."""

    name: str
    mapped_ha: float
    units: int
    classes: tuple[ZoneClass, ...]


class Agreement(DocumentModel):
    """Units that two interpreters answered, and the share with the same class."""

    units: int
    share: Figure


class AreaEstimates(DocumentModel):
    """The whole document.

    Attributes:
        region: name of the region.
        overall: overall accuracy.
        classes: estimates by class.
        matrix: share of the area by mapped class (rows) and reference class (columns), in the order of `classes`.
        quantity_disagreement: share of the area that is wrong because classes have too much or too little area.
        allocation_disagreement: share of the area that is wrong although the classes' areas agree.
        design_effect: variance of the overall accuracy relative to a simple random sample; None without errors.
        strata: strata of the sample.
        zones: areas by zone; empty without zones.
        units: drawn units.
        answered: units with a reference class.
        agreement: agreement of two interpreters; None without a second one.
        area_method: how areas were computed.
        estimator: the formulas that were used.
        sampled_map_sha256: hash of the map from which the sample was drawn.
        map_sha256: hash of the assessed map.
        cautions: warnings to read before using the estimates.
        stamp: version, code and settings.
    """

    region: str
    overall: Figure
    classes: tuple[ClassEstimates, ...]
    matrix: tuple[tuple[float, ...], ...]
    quantity_disagreement: float
    allocation_disagreement: float
    design_effect: float | None
    strata: tuple[StratumRow, ...]
    zones: tuple[ZoneEstimates, ...] = ()
    units: int
    answered: int
    agreement: Agreement | None
    area_method: str
    estimator: str
    sampled_map_sha256: str
    map_sha256: str
    cautions: tuple[str, ...]
    stamp: dict[str, str]


def write_estimates(path: Path, table: Path, estimates: AreaEstimates) -> None:
    """Write the estimates as JSON, and the figures as a table in CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(TABLE_HEADER)
    writer.writerow(["", "", "", "overall_accuracy", *_cells(estimates.overall)])
    for row in estimates.classes:
        for name in ("area_ha", "users_accuracy", "producers_accuracy", "f1"):
            writer.writerow(["", row.name, row.code, name, *_cells(getattr(row, name))])
        writer.writerow(["", row.name, row.code, "counted_ha", *_counted(row.counted_ha)])
    for zone in estimates.zones:
        for each in zone.classes:
            writer.writerow([zone.name, each.name, each.code, "area_ha", *_cells(each.area_ha)])
            writer.writerow([zone.name, each.name, each.code, "counted_ha", *_counted(each.counted_ha)])
    write_text_whole(table, text.getvalue())
    write_document(path, estimates)


def _counted(hectares: float) -> list[str]:
    return [f"{hectares:.6g}", "", "", ""]


def _cells(figure: Figure | None) -> list[str]:
    if figure is None:
        return [""] * 4
    return [f"{value:.6g}" for value in (figure.value, figure.standard_error, figure.low, figure.high)]


def read_estimates(path: Path) -> AreaEstimates:
    """Return the estimates of a region.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, AreaEstimates, "file of estimates", "estimate_areas")
