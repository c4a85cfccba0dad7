"""Places of a model's training, and their overlap with the test scenes of another project."""

import datetime
import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from clairemap.artefacts.audit import GIVEN, Leakage, SplitAudit
from clairemap.artefacts.origin import PlaceSplit, TrainingPlace
from clairemap.artefacts.splits import TILE_SPLITS
from clairemap.grid.outline import outline_of_windows
from clairemap.tiles.leakage import windows_by_scene
from clairemap.tiles.overlap import shared_with
from clairemap.tiles.split_assignment import labelled_tiles

log = logging.getLogger(__name__)

PLACE_SPLITS: tuple[PlaceSplit, ...] = ("train", "val")


def training_places(
    table: pd.DataFrame, grids: Mapping[str, GeoBox], dates: Mapping[str, Sequence[datetime.date]]
) -> tuple[TrainingPlace, ...]:
    """Return the places of the labelled training and validation tiles, by scene.

    Args:
        table: split table of the training and validation scenes.
        grids: grid of each scene.
        dates: acquisition dates of each scene, if known.
    """
    return tuple(
        TrainingPlace(
            scene=scene,
            split=split,
            dates=tuple(dates.get(scene, ())),
            tiles=len(windows),
            outline=None
            if grids[scene].crs is None or (found := outline_of_windows(grids[scene], windows)) is None
            else found.geometry,
        )
        for split in PLACE_SPLITS
        for scene, windows in sorted(windows_by_scene(labelled_tiles(table, split)).items())
    )


def audit_places(table: pd.DataFrame, grids: Mapping[str, GeoBox], places: Sequence[TrainingPlace]) -> SplitAudit:
    """Return the audit of test scenes against the places of a model's training; logs a warning if they overlap.

    Copies of training tiles cannot be found, because the pixels of the training are not known.

    Args:
        table: split table of the test scenes.
        grids: grid of each of them.
        places: places of the training; those without an outline cannot be compared.
    """
    held_out = windows_by_scene(labelled_tiles(table, "test"))
    trained = [place for place in places if place.split == "train"]
    learnt = [shape(place.outline) for place in trained if place.outline is not None]
    ground = shared_with(held_out, grids, lambda _: learnt) if held_out else None
    if ground is not None and ground.share:
        log.warning(
            "the model was trained on %.2f %% of the area of the test tiles: the figures overestimate the accuracy; "
            "test on other places",
            100 * ground.share,
        )
    bare = {scene for scene in held_out if grids[scene].crs is None}
    tiles: dict[str, int] = dict.fromkeys(TILE_SPLITS, 0)
    tiles["train"] = sum(place.tiles for place in trained)
    tiles["val"] = sum(place.tiles for place in places if place.split == "val")
    tiles["test"] = int(np.count_nonzero(table["labelled_px"] > 0))
    leakage = Leakage(
        distance_px=None if ground is None else ground.distance_px,
        overlapping_share=None if ground is None else ground.share,
        copied_tiles=None,
        copies=(),
    )
    not_compared = sorted(bare | {f"{place.scene} (training)" for place in trained if place.outline is None})
    return SplitAudit(
        GIVEN,
        tiles,
        {"test": leakage} if held_out else {},
        tuple(not_compared),
        tuple(sorted(held_out)),
    )
