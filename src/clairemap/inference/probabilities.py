"""Store of a scene's class probabilities, written by inference and read by the mosaic."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.classes import PROBABILITY_ONE, SHARE_NODATA, Legend
from clairemap.errors import StoreError
from clairemap.outputs import FUSED
from clairemap.provenance import temporary_beside
from clairemap.raster.store import GridStore, Layer, check_store, complete_store, create_store

PROBABILITY = "probability"
"""Layer uint8 (class, y, x): round(255 * p), see `nets.probability`; all 0 where unmapped."""

MAP_TILE_PX = 512
"""Side of the tiles of a map's probabilities."""

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
        _probability(class_names),
        Layer(OPTICAL_SHARE, "uint8", fill=SHARE_NODATA, nodata=SHARE_NODATA, attributes={"units": "%"}),
    ]
    return create_store(path, geobox, layers, tile_px=tile_px, shard_tiles=shard_tiles, attributes=attributes)


def _probability(class_names: Sequence[str]) -> Layer:
    return Layer(
        PROBABILITY,
        "uint8",
        tuple(class_names),
        attributes={"long_name": "probability of the class", "units": "1", "scale_factor": 1 / PROBABILITY_ONE},
    )


@contextmanager
def kept_probabilities(
    path: Path, geobox: GeoBox, legend: Legend, name: str, *, shard_px: int, stamp: Mapping[str, str]
) -> Iterator[GridStore]:
    """Yield a new store of the probabilities of map `name`; it appears with its manifest at the end of the block.

    Raises:
        DiskFullError: no space is left.
    """
    attributes = {
        "scene": name,
        "view": FUSED,
        "class_names": list(legend.names),
        "class_codes": legend.codes.tolist(),
        "georeferenced": geobox.crs is not None,
        **stamp,
    }
    part = temporary_beside(path)
    try:
        yield create_store(
            part,
            geobox,
            [_probability(legend.names)],
            tile_px=MAP_TILE_PX,
            shard_tiles=shard_px // MAP_TILE_PX,
            attributes=attributes,
        )
        complete_store(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


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
