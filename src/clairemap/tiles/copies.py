"""Tiles with identical content: scenes listed twice under two names, copied chips."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clairemap.artefacts.tiles import TILE_ID
from clairemap.settings import Sensor
from clairemap.validity import Mask

DIGEST_BYTES = 16

HASHES: dict[Sensor, str] = {"optical": "optical_hash", "sar": "sar_hash"}
"""Column of the tile index with the content hash of each sensor."""


def content_hash(values: NDArray[Any], valid: Mask) -> str | None:
    """Return a hash of a tile's valid pixels and their positions; None without valid pixels or with constant bands.

    Values are hashed as float32, so that copies stored as another type match. Empty and constant tiles have no hash,
    because they are not copies of each other.

    Args:
        values: (band, y, x).
        valid: (y, x), where the values are not nodata, clouds included.
    """
    pixels = np.ascontiguousarray(values[:, valid], np.float32)
    if not pixels.size or (pixels == pixels[:, :1]).all():
        return None
    digest = hashlib.blake2b(repr(values.shape).encode(), digest_size=DIGEST_BYTES)
    digest.update(np.packbits(valid).tobytes())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def copied_tiles(table: pd.DataFrame, index: pd.DataFrame, split: str) -> list[str]:
    """Return the tiles of a split with the same content as a training tile in one sensor, each with that tile.

    Shifted, resampled or rescaled copies are not found.

    Args:
        table: split table, see `split_assignment.assign_splits`; may be a subset.
        index: rows of tiles.parquet of the same scenes.
        split: the held-out split.
    """
    tiles = table[[*TILE_ID, "split"]].merge(index[[*TILE_ID, *HASHES.values()]]).sort_values(list(TILE_ID))
    training, held_out = tiles[tiles["split"] == "train"], tiles[tiles["split"] == split]
    found: dict[str, str] = {}
    for sensor, column in HASHES.items():
        known = {row[column]: _tile_name(row) for row in reversed(training.dropna(subset=column).to_dict("records"))}
        for row in held_out[held_out[column].isin(known.keys())].to_dict("records"):
            found.setdefault(_tile_name(row), f"{_tile_name(row)} = {known[row[column]]} ({sensor})")
    return [found[name] for name in sorted(found)]


def _tile_name(tile: dict[Any, Any]) -> str:
    return f"{tile['scene']} {tile['row']}/{tile['col']}"
