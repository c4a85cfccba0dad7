"""Leakage from training tiles into held-out tiles, by region: ``audits/REGION.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document

GIVEN = "given"
"""Method of an audit of a model that another project trained."""


@dataclass(frozen=True)
class Leakage:
    """Leakage from labelled training tiles into the labelled tiles of one held-out split.

    Attributes:
        distance_px: gap to the nearest training tile (0: touching or overlapping). Within a scene: the larger of the
            row and column gaps. Between georeferenced scenes: the gap on the ground in pixels of the held-out scene.
            None if no pair of tiles can be compared.
        overlapping_share: share (0..1) of the split's area covered by training tiles of other scenes; None if no
            scenes can be compared.
        copied_tiles: number of tiles whose pixels are identical to those of a training tile in one sensor; None if
            the pixels of the training tiles are not known.
        copies: examples of these, as "scene row/col = scene row/col (sensor)".
        start_share: share (0..1) of the split's area on which the model of `training.start_from` was trained; None
            without such a model, or if nothing can be compared.
    """

    distance_px: int | None
    overlapping_share: float | None
    copied_tiles: int | None
    copies: tuple[str, ...]
    start_share: float | None = None


@dataclass(frozen=True)
class SplitAudit:
    """Method of a split, labelled tiles per split, and leakage into each held-out split that has labelled tiles.

    `not_compared` lists scenes without a CRS, which cannot be compared with other scenes. `test_scenes` lists the
    scenes with labelled test tiles that were audited.
    `start_is_known`: whether all of them were compared with all places of the training of the model of
    `training.start_from`; None: training did not start from a model.
    """

    method: str
    tiles: Mapping[str, int]
    held_out: Mapping[str, Leakage]
    not_compared: tuple[str, ...]
    test_scenes: tuple[str, ...] = ()
    start_is_known: bool | None = None


def write_audit(path: Path, audit: SplitAudit) -> None:
    """Write the audit as JSON, atomically; equal audits give equal files."""
    write_document(path, audit)


def read_audit(path: Path) -> SplitAudit:
    """Return the audit of a split.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, SplitAudit, "audit of a split", "audit_splits")
