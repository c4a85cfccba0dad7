"""Crops of a pair store: bands, sensor weights, target."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.validity import Flags, Mask, mappable, optical_usable, sar_usable

Labels = NDArray[np.uint8]
Values = NDArray[np.float32]


@dataclass(frozen=True)
class Crop:
    """Layers of a crop: bands (band, y, x) float32, weights (1, y, x) float32 0 or 1, target (y, x) class indices.

    `misleading` (2, y, x) marks pixels of optical and of SAR whose values were disturbed so that they mislead.

    Bands contain the store's values; where the sensor's weight is 0 they are undefined and may be NaN. The target is
    IGNORE_INDEX where there is no label or no usable sensor.
    """

    optical: Values
    sar: Values
    optical_weight: Values
    sar_weight: Values
    target: Labels
    misleading: Mask

    @property
    def has_labels(self) -> bool:
        """Whether any pixel has a target."""
        return bool(np.any(self.target != IGNORE_INDEX))


@dataclass(frozen=True)
class SarOffset:
    """Displacement of SAR against optical, in whole pixels: an optical pixel gets the SAR pixel at this offset."""

    down_px: int
    right_px: int


NO_OFFSET = SarOffset(0, 0)


@dataclass(frozen=True)
class TileMasks:
    """Masks of a whole tile: validity flags and target (y, x)."""

    window: Window
    flags: Flags
    target: Labels


def read_masks(store: GridStore, tile: Window) -> TileMasks:
    """Return validity flags and target of a tile; the target is IGNORE_INDEX where no sensor is usable.

    Raises:
        StoreError: the store is damaged there.
    """
    flags: Flags = store.read("validity", tile)
    labels: Labels = store.read("label", tile)
    return TileMasks(tile, flags, np.where(mappable(flags), labels, np.uint8(IGNORE_INDEX)))


def read_crop(store: GridStore, masks: TileMasks, window: Window, sar_offset: SarOffset = NO_OFFSET) -> Crop:
    """Return a crop of a tile.

    Displaced SAR is only read from the same tile, because a neighbour may be held out from training. Along the tile's
    edge, pixels without displaced SAR get SAR weight 0.

    Args:
        store: the scene's pair.
        masks: masks of the tile that contains the crop.
        window: window of the crop in the scene.
        sar_offset: displacement of SAR against optical and target.

    Raises:
        StoreError: the store is damaged there.
    """
    inside = window.relative_to(masks.window).slices
    optical_seen = optical_usable(masks.flags[inside])
    sar, sar_seen = _read_sar(store, masks, window, sar_offset)
    return Crop(
        optical=store.read("optical", window).astype(np.float32, copy=False),
        sar=sar,
        optical_weight=optical_seen[None].astype(np.float32, copy=False),
        sar_weight=sar_seen[None].astype(np.float32, copy=False),
        target=np.where(optical_seen | sar_seen, masks.target[inside], np.uint8(IGNORE_INDEX)),
        misleading=np.zeros((2, *window.shape), np.bool_),
    )


def _read_sar(store: GridStore, masks: TileMasks, window: Window, offset: SarOffset) -> tuple[Values, Mask]:
    """Return the displaced SAR bands of a window, and the mask (y, x) of usable pixels."""
    displaced = Window(window.y0 + offset.down_px, window.x0 + offset.right_px, *window.shape)
    available = displaced.intersection(masks.window)
    values = store.read("sar", available)
    place = available.relative_to(displaced).slices
    sar, usable = np.zeros((len(values), *window.shape), np.float32), np.zeros(window.shape, np.bool_)
    sar[:, *place] = values
    usable[place] = sar_usable(masks.flags[available.relative_to(masks.window).slices])
    return sar, usable


def pad(crop: Crop, height: int, width: int) -> Crop:
    """Return the crop padded at the bottom and right with pixels that no sensor sees."""
    if crop.target.shape == (height, width):
        return crop
    rows, cols = height - crop.target.shape[0], width - crop.target.shape[1]

    def zeros(layer: NDArray[Any]) -> NDArray[Any]:
        return np.pad(layer, ((0, 0), (0, rows), (0, cols)))

    return Crop(
        zeros(crop.optical),
        zeros(crop.sar),
        zeros(crop.optical_weight),
        zeros(crop.sar_weight),
        np.pad(crop.target, ((0, rows), (0, cols)), constant_values=IGNORE_INDEX),
        zeros(crop.misleading),
    )
