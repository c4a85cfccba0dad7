"""Audit of a split: distance of training from held-out tiles, and ground and pixels that both share."""

import logging
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox

from clairemap.artefacts.audit import Leakage, SplitAudit
from clairemap.artefacts.splits import HELD_OUT, TILE_SPLITS, TileSplit
from clairemap.grid.window import Window
from clairemap.tiles.copies import copied_tiles
from clairemap.tiles.overlap import shared_ground
from clairemap.tiles.split_assignment import FAR_PX, LabelledTile, distances_px, labelled_tiles

log = logging.getLogger(__name__)

MAX_COPIES_SHOWN = 5
"""Maximum number of copies to list; the rest are only counted."""


def audit_splits(table: pd.DataFrame, index: pd.DataFrame, method: str, grids: Mapping[str, GeoBox]) -> SplitAudit:
    """Return the audit of a split table; logs a warning if figures overestimate the accuracy.

    Args:
        table: split table, see `split_assignment.assign_splits`.
        index: rows of tiles.parquet of the same scenes.
        method: split method of the settings.
        grids: grid of each scene; a scene without an entry has no CRS.
    """
    labelled = table.loc[table["labelled_px"] > 0]
    tiles: dict[str, int] = {split: int(np.count_nonzero(labelled["split"] == split)) for split in TILE_SPLITS}
    used = set(labelled.loc[labelled["split"] != "buffer", "scene"])
    bare = tuple(sorted(scene for scene in used if scene not in grids or grids[scene].crs is None))
    if bare:
        log.info("scenes without a CRS, not checked for overlap with other scenes: %s", ", ".join(bare))
    held_out: dict[str, Leakage] = {
        split: _leakage(labelled, index, split, grids) for split in HELD_OUT if tiles[split]
    }
    for split, leakage in held_out.items():
        _log_leakage(split, leakage)
    tested = tuple(sorted(set(labelled.loc[labelled["split"] == "test", "scene"])))
    return SplitAudit(method, tiles, held_out, bare, tested)


def _leakage(labelled: pd.DataFrame, index: pd.DataFrame, split: TileSplit, grids: Mapping[str, GeoBox]) -> Leakage:
    ground = shared_ground(
        windows_by_scene(labelled_tiles(labelled, split)), windows_by_scene(labelled_tiles(labelled, "train")), grids
    )
    copies = copied_tiles(labelled, index, split)
    gaps_px = [_gap_px(labelled, split), None if ground is None else ground.distance_px]
    return Leakage(
        distance_px=min((gap for gap in gaps_px if gap is not None), default=None),
        overlapping_share=None if ground is None else ground.share,
        copied_tiles=len(copies),
        copies=tuple(copies[:MAX_COPIES_SHOWN]),
    )


def _gap_px(table: pd.DataFrame, split: str) -> int | None:
    """Return the smallest gap between a training and a held-out tile of one scene; None if no scene has both."""
    splits = table["split"].to_numpy()
    smallest = int(distances_px(table, splits == split)[splits == "train"].min(initial=FAR_PX))
    return None if smallest == FAR_PX else smallest


def windows_by_scene(tiles: Iterable[LabelledTile]) -> dict[str, list[Window]]:
    """Return the windows of tiles by scene."""
    windows: dict[str, list[Window]] = {}
    for tile in tiles:
        windows.setdefault(tile.scene, []).append(tile.window)
    return windows


def _log_leakage(split: str, leakage: Leakage) -> None:
    if leakage.overlapping_share:
        log.warning(
            "training tiles of other scenes cover %.2f %% of the area of split %s: its figures overestimate the "
            "accuracy; put overlapping scenes into one split",
            100 * leakage.overlapping_share,
            split,
        )
    if leakage.copied_tiles:
        log.warning(
            "%d tile(s) of split %s are copies of training tiles: %s%s; its figures overestimate the accuracy; "
            "remove duplicate scenes from the sample sheet",
            leakage.copied_tiles,
            split,
            ", ".join(leakage.copies),
            ", …" if leakage.copied_tiles > len(leakage.copies) else "",
        )
