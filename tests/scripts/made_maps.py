"""Class probabilities of synthetic scenes, as written by predict_scene, correct except for deliberate errors."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clairemap.artefacts.store_attributes import ProbabilityAttributes
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, create_probabilities
from clairemap.raster.store import complete_store, open_store

SURE, UNSURE = 204, 26


def make_probabilities(
    folder: Path, pair: Path, mapped: NDArray[np.uint8], share: NDArray[np.uint8], codes: list[int], names: list[str]
) -> Path:
    """Write probabilities of 0.8 for the mapped classes and the rest for the next one; 255 in `mapped` is unmapped."""
    source = open_store(pair)
    folder.mkdir(parents=True)
    store = create_probabilities(
        folder / "part.zarr",
        source.geobox,
        names,
        tile_px=source.tile_px,
        shard_tiles=2,
        attributes=ProbabilityAttributes(
            scene=source.scene, view="fused", class_names=names, class_codes=codes, georeferenced=True
        ).model_dump(),
    )
    classes = np.arange(len(codes))[:, None, None]
    probability = np.where(mapped == classes, SURE, np.where((mapped + 1) % len(codes) == classes, UNSURE, 0))
    probability = np.where(mapped == 255, 0, probability).astype(np.uint8)
    for window in store.shards():
        store.write(PROBABILITY, window, probability[:, *window.slices])
        store.write(OPTICAL_SHARE, window, np.where(mapped == 255, 255, share).astype(np.uint8)[window.slices])
    complete_store(folder / "part.zarr", folder / "probabilities.zarr")
    return folder / "probabilities.zarr"
