"""Store of a scene's class probabilities, written by inference and read by the mosaic."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.classes import PROBABILITY_ONE, SHARE_NODATA, Legend
from clairemap.errors import StoreError
from clairemap.raster.store import GridStore, Layer, check_store, create_store

PROBABILITY = "probability"
"""Layer uint8 (class, y, x): round(255 * p), see `nets.probability`; all 0 where unmapped."""

OPTICAL_SHARE = "optical_share"
"""Layer uint8 (y, x): weight of the optical sensor in percent; 255 where unmapped."""


def create_probabilities(
    path: Path,
    geobox: GeoBox,
    class_names: Sequence[str],
    *,
    tile_px: int,
    shard_tiles: int,
    attributes: Mapping[str, Any],
) -> GridStore:
    """Return a new probability store filled with nodata."""
    layers = [
        Layer(
            PROBABILITY,
            "uint8",
            tuple(class_names),
            attributes={"long_name": "probability of the class", "units": "1", "scale_factor": 1 / PROBABILITY_ONE},
        ),
        Layer(OPTICAL_SHARE, "uint8", fill=SHARE_NODATA, nodata=SHARE_NODATA, attributes={"units": "%"}),
    ]
    return create_store(path, geobox, layers, tile_px=tile_px, shard_tiles=shard_tiles, attributes=attributes)


def open_probabilities(path: Path, legend: Legend) -> GridStore:
    """Return a scene's probabilities for reading, after checking the store against its manifest.

    Raises:
        StoreError: the store is incomplete, damaged, or has other classes than the legend.
    """
    store = check_store(path)
    codes = list(store.attributes_as(ProbabilityAttributes).class_codes)
    if codes != legend.codes.tolist():
        raise StoreError(
            f"{path}: has class codes {codes}, but the legend has {legend.codes.tolist()}; delete it and run again "
            "with the settings of the trained model"
        )
    return store
