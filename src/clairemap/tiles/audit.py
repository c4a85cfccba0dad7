"""What a split lets leak: how near training comes to held-out tiles, and which ground and pixels they share."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from pydantic import TypeAdapter, ValidationError

from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.provenance import write_text_whole
from clairemap.tiles.copies import copied_tiles
from clairemap.tiles.overlap import shared_ground
from clairemap.tiles.splits import FAR_PX, HELD_OUT, TILE_SPLITS, LabelledTile, TileSplit, distances_px, labelled_tiles

log = logging.getLogger(__name__)

EXAMPLES = 5
"""Copies that are named; the others are counted."""


@dataclass(frozen=True)
class Leakage:
    """What the labelled tiles of a held-out split have in common with labelled training tiles.

    `distance_px` is the gap to the nearest training tile: within a scene the larger of the gaps in rows and columns,
    between georeferenced scenes the gap on the ground in pixels of the held-out scene (0: they touch or overlap;
    None: no scene holds both, and no other can be compared). `overlapping_share` (0..1) is the share of the split's
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

    `not_compared` are scenes without a CRS: how their ground lies to that of other scenes is not known.
    """

    method: str
    tiles: Mapping[str, int]
    held_out: Mapping[str, Leakage]
    not_compared: tuple[str, ...]


def audit_splits(table: pd.DataFrame, index: pd.DataFrame, method: str, grids: Mapping[str, GeoBox]) -> SplitAudit:
    """Return the audit of a split table; warns of what makes figures look better than the model is.

    Args:
        table: of `splits.assign_splits`.
        index: rows of tiles.parquet of the same scenes.
        method: how the tiles were split, as the settings name it.
        grids: grid of each scene; one without an entry counts as having no CRS.
    """
    labelled = table.loc[table["labelled_px"] > 0]
    tiles: dict[str, int] = {split: int(np.count_nonzero(labelled["split"] == split)) for split in TILE_SPLITS}
    used = set(labelled.loc[labelled["split"] != "buffer", "scene"])
    bare = tuple(sorted(scene for scene in used if scene not in grids or grids[scene].crs is None))
    if bare:
        log.info("scenes without a CRS, so their ground is not compared with that of other scenes: %s", ", ".join(bare))
    held_out: dict[str, Leakage] = {
        split: _leakage(labelled, index, split, grids) for split in HELD_OUT if tiles[split]
    }
    for split, leakage in held_out.items():
        _warn(split, leakage)
    return SplitAudit(method, tiles, held_out, bare)


def _leakage(labelled: pd.DataFrame, index: pd.DataFrame, split: TileSplit, grids: Mapping[str, GeoBox]) -> Leakage:
    ground = shared_ground(
        _windows_by_scene(labelled_tiles(labelled, split)), _windows_by_scene(labelled_tiles(labelled, "train")), grids
    )
    copies = copied_tiles(labelled, index, split)
    gaps_px = [_gap_px(labelled, split), None if ground is None else ground.distance_px]
    return Leakage(
        distance_px=min((gap for gap in gaps_px if gap is not None), default=None),
        overlapping_share=None if ground is None else ground.share,
        copied_tiles=len(copies),
        copies=tuple(copies[:EXAMPLES]),
    )


def _gap_px(table: pd.DataFrame, split: str) -> int | None:
    """Return the smallest gap between a training and a held-out tile of one scene; None if no scene holds both."""
    splits = table["split"].to_numpy()
    smallest = int(distances_px(table, splits == split)[splits == "train"].min(initial=FAR_PX))
    return None if smallest == FAR_PX else smallest


def _windows_by_scene(tiles: Iterable[LabelledTile]) -> dict[str, list[Window]]:
    windows: dict[str, list[Window]] = {}
    for tile in tiles:
        windows.setdefault(tile.scene, []).append(tile.window)
    return windows


def _warn(split: str, leakage: Leakage) -> None:
    if leakage.overlapping_share:
        log.warning(
            "training tiles of other scenes cover %.2f %% of the ground of split %s: figures there look better than "
            "the model is; put scenes that overlap into one split",
            100 * leakage.overlapping_share,
            split,
        )
    if leakage.copied_tiles:
        log.warning(
            "%d tile(s) of split %s are copies of training tiles: %s%s; figures there look better than the model is; "
            "take scenes that stand twice off the sample sheet",
            leakage.copied_tiles,
            split,
            ", ".join(leakage.copies),
            ", …" if leakage.copied_tiles > len(leakage.copies) else "",
        )


def write_audit(audit: SplitAudit, path: Path) -> None:
    """Write the audit as JSON, whole or not at all; equal audits give equal files."""
    write_text_whole(path, json.dumps(asdict(audit), indent=1) + "\n")


def read_audit(path: Path) -> SplitAudit:
    """Return an audit from its JSON file.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        return TypeAdapter(SplitAudit).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path}: holds no audit of a split ({error}); delete it and run audit_splits again") from None
