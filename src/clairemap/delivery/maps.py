"""Windows of a map's files for post-processing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.raster.opening import is_stored, open_raster
from clairemap.raster.source import rasterio_window
from clairemap.raster.store import GridStore

PROBABILITY = "probability"
"""Layer of the store of a map's probabilities, with the name that it has in stores of scenes."""


@dataclass(frozen=True)
class MapLayers:
    """The layers of a map that post-processing reads: opened rasters, from `opened_map`."""

    landcover_file: Any
    confidence_file: Any
    optical_share_file: Any

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map."""
        height, width = self.landcover_file.shape
        return int(height), int(width)

    @property
    def geobox(self) -> GeoBox:
        """The map's grid."""
        file = self.landcover_file
        return GeoBox(self.shape, file.transform, None if file.crs is None else file.crs.to_wkt())

    def is_stored(self, window: Window) -> bool:
        """Return whether the map may have data in a window; if not, it is nodata."""
        return is_stored(self.landcover_file, window)

    def landcover(self, window: Window) -> NDArray[np.uint8]:
        """Return class codes (y, x)."""
        return _read(self.landcover_file, window)

    def confidence(self, window: Window) -> NDArray[np.uint8]:
        """Return the probability of the mapped class (y, x), percent."""
        return _read(self.confidence_file, window)

    def layers(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None:
        """Return class codes, confidence and optical share, all (y, x); None if the window is empty."""
        if not self.is_stored(window):
            return None
        return self.landcover(window), self.confidence(window), _read(self.optical_share_file, window)


@dataclass(frozen=True)
class ProbableMap:
    """A map before post-processing, with the probabilities of all classes."""

    layers: MapLayers
    store: GridStore

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the map."""
        return self.layers.shape

    def landcover(self, window: Window) -> NDArray[np.uint8]:
        """Return class codes (y, x)."""
        return self.layers.landcover(window)

    def probability(self, window: Window) -> NDArray[np.uint8]:
        """Return probabilities (class, y, x), 1/255."""
        return self.store.read(PROBABILITY, window)


@contextmanager
def opened_map(files: MapFiles) -> Iterator[MapLayers]:
    """Open the layers of a map.

    Raises:
        StoreError: a file cannot be opened.
    """
    with ExitStack() as stack:
        try:
            opened = [
                stack.enter_context(open_raster(path))
                for path in (files.landcover, files.confidence, files.optical_share)
            ]
        except RasterioError as error:
            raise StoreError(f"{files.prefix}: a map cannot be opened ({error}); delete it and run again") from None
        yield MapLayers(*opened)


def _read(file: Any, window: Window) -> NDArray[np.uint8]:  # noqa: ANN401 - rasterio has no types
    try:
        values: NDArray[np.uint8] = file.read(1, window=rasterio_window(window))
    except RasterioError as error:
        raise StoreError(
            f"{file.name}: cannot be read at {window.text} ({error}); delete the file and run again"
        ) from None
    return values
