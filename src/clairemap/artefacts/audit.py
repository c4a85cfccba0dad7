"""What a split leaks from training into the held-out tiles, as a file: ``audit.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap.artefacts.document import read_document, write_document


@dataclass(frozen=True)
class Leakage:
    """What the labelled tiles of a held-out split share with labelled training tiles.

    `distance_px` is the gap to the nearest training tile: within a scene the larger of the gaps in rows and columns,
    between georeferenced scenes the gap on the ground in pixels of the held-out scene (0: they touch or overlap;
    None: no scene has both, and no other can be compared). `overlapping_share` (0..1) is the share of the split's
    ground under training tiles of other scenes, None where no two can be compared. `copied_tiles` hold the very
    pixels of a training tile in one sensor; `copies` names some, as "scene row/col = scene row/col (sensor)".
    """

    distance_px: int | None
    overlapping_share: float | None
    copied_tiles: int
    copies: tuple[str, ...]


@dataclass(frozen=True)
class SplitAudit:
    """A split's method, its labelled tiles, and the leakage into each held-out split that has any.

    `not_compared` are scenes without a CRS: their ground can't be compared with that of other scenes.
    """

    method: str
    tiles: Mapping[str, int]
    held_out: Mapping[str, Leakage]
    not_compared: tuple[str, ...]


def write_audit(path: Path, audit: SplitAudit) -> None:
    """Write the audit as JSON, whole or not at all; equal audits give equal files."""
    write_document(path, audit)


def read_audit(path: Path) -> SplitAudit:
    """Return the audit of a split.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, SplitAudit, "audit of a split", "audit_splits")
