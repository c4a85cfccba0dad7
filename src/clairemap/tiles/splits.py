"""Which tiles train, validate and test.

A tile's split comes from its scene (method ``scene``), or blocks of tiles are held out of the training scenes as well
(method ``block``), with a buffer around them. Neighbours look alike, so single tiles are drawn (method ``random``)
only where the settings insist: a map scored on them looks better than it is, by up to 28 % (Kattenborn et al. 2022,
doi:10.1016/j.ophoto.2022.100018). What a split lets leak is told by `tiles.audit`.
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
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.scenes import Split
from clairemap.settings import SplitsSettings

log = logging.getLogger(__name__)

FAR_PX = np.iinfo(np.int64).max

Splits = NDArray[np.object_]


@dataclass(frozen=True)
class LabelledTile:
    """A tile with labels: the scene, its window there, and its labelled and mappable pixels by class index."""

    scene: str
    window: Window
    class_px: tuple[int, ...]

    @property
    def labelled_px(self) -> int:
        """Pixels of all classes."""
        return sum(self.class_px)


@dataclass(frozen=True, eq=False)
class _TileBlock:
    """Tiles that are held out together: their positions in the table and how many of them have labels."""

    name: str
    positions: NDArray[np.int64]
    labelled: int


def assign_splits(
    index: pd.DataFrame, scene_splits: Mapping[str, Split], settings: SplitsSettings, seed: int
) -> pd.DataFrame:
    """Return the tiles of the train, val and test scenes with their split; columns as in `artefacts.splits`.

    The draw of blocks or tiles depends on the seed and the names of the scenes only, not on the order of the rows.

    Args:
        index: rows of tiles.parquet of all those scenes.
        scene_splits: split of each scene as the sample sheet says; scenes to predict only are left out.
        settings: method, shares, block size, buffer. Tiles drawn at random have no buffer.
        seed: of the draw.

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
            "single tiles are held out at random (splits.method random): their neighbours train, so figures on them "
            "look better than the model is"
        )
        single = settings.model_copy(update={"block_tiles": 1, "buffer_px": 0})
        splits = _hold_out_blocks(table, splits, single, seed)
    return table.assign(split=splits)


def add_test_scenes(table: pd.DataFrame, index: pd.DataFrame, scenes: Collection[str]) -> pd.DataFrame:
    """Return a split table with all tiles of the test scenes added; the splits that it holds stay.

    Args:
        table: of `assign_splits`, or read from its file.
        index: rows of tiles.parquet of those scenes at least.
        scenes: that test as a whole.

    Raises:
        StoreError: a scene has no tile in the index.
    """
    both = pd.concat([table, _tiles(index, scenes).assign(split="test")], ignore_index=True)
    return both.sort_values(["scene", "row", "col"], ignore_index=True)


def _tiles(index: pd.DataFrame, scenes: Collection[str]) -> pd.DataFrame:
    if missing := sorted(set(scenes) - set(index["scene"])):
        raise StoreError(f"tiles of the scenes {missing} are missing in the tile index; run tile_scene for them")
    table = index.loc[index["scene"].isin(set(scenes)), list(INDEX_COLUMNS)]
    return table.sort_values(["scene", "row", "col"], ignore_index=True)


def _hold_out_blocks(table: pd.DataFrame, splits: Splits, settings: SplitsSettings, seed: int) -> Splits:
    """Return the splits with blocks held out; gives blocks back until a labelled tile is left to train on."""
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
            "block %s trains instead of being held out for %s: with a buffer of %d px around it no labelled tile would "
            "be left to train on (splits.block_tiles, splits.buffer_px)",
            block.name,
            split,
            settings.buffer_px,
        )


def _tile_blocks(table: pd.DataFrame, chosen: NDArray[np.bool_], block_tiles: int, seed: int) -> list[_TileBlock]:
    """Return the blocks that hold labelled tiles among the chosen ones, in an order drawn by hashing their names."""
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
    """Return blocks to hold out whose labelled tiles come near the shares; one block at least is left to train."""
    total = sum(block.labelled for block in blocks)
    left = list(blocks)
    drawn: list[tuple[_TileBlock, TileSplit]] = []
    for split, share in zip(HELD_OUT, (settings.val_share, settings.test_share), strict=True):
        taken = _blocks_near_target(left[: len(left) - 1], share * total) if share > 0 else []
        if share > 0 and not taken:
            log.warning("no block is held out for %s: %d block(s) with labels are left", split, len(left))
        drawn += [(block, split) for block in taken]
        held = {block.name for block in taken}
        left = [block for block in left if block.name not in held]
    return drawn


def _blocks_near_target(blocks: list[_TileBlock], target: float) -> list[_TileBlock]:
    """Return blocks, taken in order, whose labelled tiles sum up near the target; one at least if there is any."""
    taken: list[_TileBlock] = []
    count = 0
    for block in blocks:
        if abs(count + block.labelled - target) < abs(count - target):
            taken.append(block)
            count += block.labelled
    return taken or sorted(blocks, key=lambda block: block.labelled)[:1]


def distances_px(table: pd.DataFrame, held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each tile's distance to the nearest held-out tile of its scene, FAR_PX where there is none.

    Memory grows with the tiles of a scene, not with their pairs.
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
    """Return the tiles of a split that have labels, in the order of the table."""
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
    """Return the table as plain values, for hashing its content rather than its file."""
    plain = table.assign(class_px=table["class_px"].map(lambda counts: [int(count) for count in counts]))
    return [list(row) for row in plain.itertuples(index=False, name=None)]
