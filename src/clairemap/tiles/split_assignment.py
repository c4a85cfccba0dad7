"""Split of tiles into train, val and test.

A tile has the split of its scene (method ``scene``), or blocks of tiles are held out of the training scenes as well
(method ``block``), with a buffer around them. Neighbouring tiles are similar, so holding out single tiles (method
``random``) overestimates the accuracy by up to 28 % (Kattenborn et al. 2022, doi:10.1016/j.ophoto.2022.100018); the
settings must confirm it. `tiles.leakage` reports leakage.
"""

import hashlib
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clairemap.artefacts.splits import HELD_OUT, INDEX_COLUMNS, TileSplit
from clairemap.artefacts.tiles import TILE_ID
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.scenes import Split
from clairemap.settings import SplitsSettings

log = logging.getLogger(__name__)

FAR_PX = np.iinfo(np.int64).max

Splits = NDArray[np.object_]


@dataclass(frozen=True)
class LabelledTile:
    """Tile with labels: scene, window, and labelled mappable pixels by class index."""

    scene: str
    window: Window
    class_px: tuple[int, ...]

    @property
    def labelled_px(self) -> int:
        """Pixels of all classes."""
        return sum(self.class_px)


@dataclass(frozen=True, eq=False)
class _TileBlock:
    """Tiles that are held out together: positions in the table and number of labelled tiles."""

    name: str
    positions: NDArray[np.int64]
    labelled: int


def assign_splits(
    index: pd.DataFrame, scene_splits: Mapping[str, Split], settings: SplitsSettings, seed: int
) -> pd.DataFrame:
    """Return the tiles of the train, val and test scenes with their split; columns as in `artefacts.splits`.

    The draw of blocks or tiles depends only on the seed and the scene names, not on the order of the rows.

    Args:
        index: rows of tiles.parquet of all those scenes.
        scene_splits: split of each scene in the sample sheet; scenes of split predict are left out.
        settings: method, shares, block size, buffer. Single tiles (method random) have no buffer.
        seed: seed of the draw.

    Raises:
        StoreError: a scene has no tile in the index.
    """
    scenes = {scene: split for scene, split in scene_splits.items() if split != "predict"}
    table = _tiles(index, scenes)
    splits = table["scene"].map(scenes).to_numpy(dtype=object)
    if settings.method == "block":
        splits = _hold_out_blocks(table, splits, settings, seed)
    elif settings.method == "random":
        log.warning(
            "single tiles are held out at random (splits.method: random): their neighbours are used for training, so "
            "figures overestimate the accuracy"
        )
        single = settings.model_copy(update={"block_tiles": 1, "buffer_px": 0})
        splits = _hold_out_blocks(table, splits, single, seed)
    return table.assign(split=splits)


def add_test_scenes(table: pd.DataFrame, index: pd.DataFrame, scenes: Collection[str]) -> pd.DataFrame:
    """Return a split table with all tiles of the test scenes added; existing splits do not change.

    Args:
        table: split table, see `assign_splits`.
        index: rows of tiles.parquet; includes those scenes.
        scenes: scenes with split test.

    Raises:
        StoreError: a scene has no tile in the index.
    """
    both = pd.concat([table, _tiles(index, scenes).assign(split="test")], ignore_index=True)
    return both.sort_values(list(TILE_ID), ignore_index=True)


def _tiles(index: pd.DataFrame, scenes: Collection[str]) -> pd.DataFrame:
    if missing := sorted(set(scenes) - set(index["scene"])):
        raise StoreError(f"scenes {missing} have no tiles in the tile index; run tile_scene for them")
    table = index.loc[index["scene"].isin(set(scenes)), list(INDEX_COLUMNS)]
    return table.sort_values(list(TILE_ID), ignore_index=True)


def _hold_out_blocks(table: pd.DataFrame, splits: Splits, settings: SplitsSettings, seed: int) -> Splits:
    """Return the splits with blocks held out; releases blocks until a labelled training tile remains."""
    labelled = table["labelled_px"].to_numpy() > 0
    drawn = _draw_blocks(_tile_blocks(table, splits == "train", settings.block_tiles, seed), settings)
    while True:
        held = splits.copy()
        for block, split in drawn:
            held[block.positions] = split
        near = (held == "train") & (distances_px(table, np.isin(held, HELD_OUT)) < settings.buffer_px)
        held[near] = "buffer"
        if not drawn or np.any(labelled & (held == "train")):
            return held
        block, split = drawn.pop()
        log.warning(
            "block %s is not held out for %s: with its buffer of %d px no labelled training tile would remain "
            "(splits.block_tiles, splits.buffer_px)",
            block.name,
            split,
            settings.buffer_px,
        )


def _tile_blocks(table: pd.DataFrame, chosen: NDArray[np.bool_], block_tiles: int, seed: int) -> list[_TileBlock]:
    """Return the blocks with labelled tiles among the chosen ones, ordered by a hash of their names."""
    rows, cols = (table[name].to_numpy() // block_tiles for name in ("row", "col"))
    scenes = table["scene"].to_numpy()
    labelled = table["labelled_px"].to_numpy() > 0
    members: dict[str, list[int]] = {}
    for position in np.flatnonzero(chosen):
        name = f"{scenes[position]}/{rows[position]}/{cols[position]}"
        members.setdefault(name, []).append(int(position))
    blocks = [
        _TileBlock(name, np.array(positions), int(np.count_nonzero(labelled[positions])))
        for name, positions in members.items()
    ]
    return sorted(
        (block for block in blocks if block.labelled),
        key=lambda block: hashlib.sha256(f"{seed}:hold out:{block.name}".encode()).digest(),
    )


def _draw_blocks(blocks: list[_TileBlock], settings: SplitsSettings) -> list[tuple[_TileBlock, TileSplit]]:
    """Return blocks to hold out whose labelled tiles come close to the shares; at least one block stays in training."""
    total = sum(block.labelled for block in blocks)
    left = list(blocks)
    drawn: list[tuple[_TileBlock, TileSplit]] = []
    for split, share in zip(HELD_OUT, (settings.val_share, settings.test_share), strict=True):
        taken = _blocks_near_target(left[: len(left) - 1], share * total) if share > 0 else []
        if share > 0 and not taken:
            log.warning("no block is held out for %s: only %d block(s) with labels remain", split, len(left))
        drawn += [(block, split) for block in taken]
        held = {block.name for block in taken}
        left = [block for block in left if block.name not in held]
    return drawn


def _blocks_near_target(blocks: list[_TileBlock], target: float) -> list[_TileBlock]:
    """Return blocks, in order, whose labelled tiles sum up close to the target; at least one if there is any."""
    taken: list[_TileBlock] = []
    count = 0
    for block in blocks:
        if abs(count + block.labelled - target) < abs(count - target):
            taken.append(block)
            count += block.labelled
    return taken or sorted(blocks, key=lambda block: block.labelled)[:1]


def distances_px(table: pd.DataFrame, held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each tile's distance to the nearest held-out tile of its scene (tile,), FAR_PX without one.

    Memory grows with the number of tiles, not of pairs of tiles.
    """
    scenes = table["scene"].to_numpy()
    y0, x0 = table["y0"].to_numpy(np.int64), table["x0"].to_numpy(np.int64)
    y1, x1 = y0 + table["height"].to_numpy(), x0 + table["width"].to_numpy()
    nearest = np.full(len(table), FAR_PX)
    for scene in np.unique(scenes[held].astype(str)):
        same = np.flatnonzero(scenes == scene)
        for other in same[held[same]]:
            rows_px = np.maximum(y0[same] - y1[other], y0[other] - y1[same])
            cols_px = np.maximum(x0[same] - x1[other], x0[other] - x1[same])
            nearest[same] = np.minimum(nearest[same], np.maximum(np.maximum(rows_px, cols_px), 0))
    return nearest


def labelled_tiles(table: pd.DataFrame, split: TileSplit) -> tuple[LabelledTile, ...]:
    """Return the labelled tiles of a split, in the order of the table."""
    rows = table.loc[(table["split"] == split) & (table["labelled_px"] > 0)]
    return tuple(
        LabelledTile(
            str(row.scene),
            Window(int(row.y0), int(row.x0), int(row.height), int(row.width)),
            tuple(int(count) for count in row.class_px),
        )
        for row in cast("Iterator[Any]", rows.itertuples())
    )


def split_rows(table: pd.DataFrame) -> list[list[Any]]:
    """Return the table as plain values, for hashing its content."""
    plain = table.assign(class_px=table["class_px"].map(lambda counts: [int(count) for count in counts]))
    return [list(row) for row in plain.itertuples(index=False, name=None)]
