"""From a tile's pixels to its row in the tile index."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.tiles import TileRow
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.tiles import Tile
from clairemap.tiles.copies import content_hash
from clairemap.validity import Flags, Validity, has_none, mappable, optical_usable, sar_usable


@dataclass(frozen=True, eq=False)
class TileLayers:
    """A tile's pixels: bands (band, y, x), class indices and validity flags (y, x)."""

    optical: NDArray[Any]
    sar: NDArray[Any]
    label: NDArray[np.uint8]
    validity: Flags


def tile_row(scene: str, tile: Tile, layers: TileLayers, classes: int) -> TileRow:
    """Return the row of a tile from its pixels; `classes` is the number of classes."""
    validity, label = layers.validity, layers.label
    usable = mappable(validity)
    class_px = np.bincount(label[usable & (label != IGNORE_INDEX)], minlength=classes)
    return TileRow(
        scene=scene,
        row=tile.row,
        col=tile.col,
        y0=tile.window.y0,
        x0=tile.window.x0,
        height=tile.window.height,
        width=tile.window.width,
        valid_px=int(usable.sum()),
        optical_px=int(optical_usable(validity).sum()),
        sar_px=int(sar_usable(validity).sum()),
        cloud_px=int((~has_none(validity, Validity.CLOUD)).sum()),
        cloud_unknown_px=int((~has_none(validity, Validity.CLOUD_UNKNOWN)).sum()),
        labelled_px=int(class_px.sum()),
        class_px=tuple(int(count) for count in class_px),
        optical_hash=content_hash(layers.optical, has_none(validity, Validity.OPTICAL_NODATA)),
        sar_hash=content_hash(layers.sar, has_none(validity, Validity.SAR_NODATA)),
    )
