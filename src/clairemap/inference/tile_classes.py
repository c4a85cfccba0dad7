"""Map single tiles of a scene, for example with one sensor masked out."""

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX
from clairemap.grid.cover import WindowCover
from clairemap.grid.window import Window
from clairemap.inference.predict import Prediction
from clairemap.inference.reading import WindowReader
from clairemap.inference.window_mapping import map_window
from clairemap.nets.halo import full_precision
from clairemap.raster.most_probable import most_probable
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX


class TileMapper:
    """Maps tiles of a scene as `predict_scene` does, one at a time."""

    def __init__(self, pair: GridStore, prediction: Prediction) -> None:
        """Prepare windows of a tile, or of an integer fraction of it if a tile does not fit into memory."""
        self._pair = pair
        self._prediction = prediction
        self._card = prediction.card_for(pair)
        self._reader = WindowReader(pair, prediction.sensors)
        fitting = WindowCover.fitting(prediction.window_px(pair), prediction.halo_px, ALIGN_PX)
        sizes = range(min(fitting.core_px, pair.tile_px), 0, -ALIGN_PX)
        core_px = next(size for size in sizes if pair.tile_px % size == 0)
        self._cover = WindowCover(core_px, fitting.halo_px, ALIGN_PX)

    def classes(self, tile: Window) -> NDArray[np.uint8]:
        """Return the mapped classes (y, x) of a tile, IGNORE_INDEX where nothing is mapped.

        Raises:
            StoreError: the pair's files are damaged.
        """
        found = np.full(tile.shape, IGNORE_INDEX, np.uint8)
        bundle, precision = self._prediction.bundle, self._prediction.settings.precision
        for step in self._cover.steps(tile, self._pair.shape):
            if reading := self._reader.read(step):
                with full_precision():
                    result = map_window(bundle.network, self._card, precision, reading)
                found[step.core.relative_to(tile).slices] = most_probable(result.probability).index
        return found
