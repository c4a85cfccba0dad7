"""Places of a model's training, and their overlap with the held-out scenes of another project."""

import datetime
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from odc.geo.geobox import GeoBox
from shapely.geometry import shape

from clairemap.artefacts.audit import GIVEN, Leakage, SplitAudit
from clairemap.artefacts.origin import Origin, PlaceSplit, TrainingPlace
from clairemap.artefacts.splits import HELD_OUT, TILE_SPLITS
from clairemap.grid.outline import outline_of_windows
from clairemap.grid.window import Window
from clairemap.tiles.leakage import windows_by_scene
from clairemap.tiles.overlap import SharedGround, shared_with
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


def with_places_of_start(places: Sequence[TrainingPlace], start: Origin | None) -> tuple[TrainingPlace, ...]:
    """Return the places of a training, and those of the model that it started from."""
    return tuple(places) if start is None else (*places, *(place for place in start.places if place not in places))


def audit_places(table: pd.DataFrame, grids: Mapping[str, GeoBox], origin: Origin) -> SplitAudit:
    """Return the audit of test scenes against the places of a model's training; logs a warning if they overlap.

    Copies of training tiles cannot be found, because the pixels of the training are not known.

    Args:
        table: split table of the test scenes.
        grids: grid of each of them.
        origin: origin of the model; places without an outline cannot be compared.
    """
    held_out = windows_by_scene(labelled_tiles(table, "test"))
    trained = _trained(origin)
    ground = _shared_with(held_out, grids, trained)
    if ground is not None and ground.share:
        log.warning(
            "the model was trained on %.2f %% of the area of the test tiles: the figures overestimate the accuracy; "
            "test on other places",
            100 * ground.share,
        )
    tiles: dict[str, int] = dict.fromkeys(TILE_SPLITS, 0)
    tiles["train"] = sum(place.tiles for place in trained)
    tiles["val"] = sum(place.tiles for place in origin.places if place.split == "val")
    tiles["test"] = int(np.count_nonzero(table["labelled_px"] > 0))
    leakage = Leakage(
        distance_px=None if ground is None else ground.distance_px,
        overlapping_share=None if ground is None else ground.share,
        copied_tiles=None,
        copies=(),
    )
    return SplitAudit(
        GIVEN,
        tiles,
        {"test": leakage} if held_out else {},
        (*_without_crs(held_out, grids), *_without_outline(origin)),
        tuple(sorted(held_out)),
    )


def audit_start(audit: SplitAudit, table: pd.DataFrame, grids: Mapping[str, GeoBox], start: Origin) -> SplitAudit:
    """Return the audit with the overlap of its held-out tiles with the places of the model that training started from.

    Logs a warning if they overlap.

    Args:
        audit: audit of the split of this project's training.
        table: its split table.
        grids: grid of each scene.
        start: origin of the model; places without an outline cannot be compared.
    """
    trained = _trained(start)
    unknown = not trained or bool(_without_outline(start))
    leaks: dict[str, Leakage] = {}
    for split in HELD_OUT:
        if split not in audit.held_out:
            continue
        held_out = windows_by_scene(labelled_tiles(table, split))
        ground = _shared_with(held_out, grids, trained)
        unknown = unknown or bool(_without_crs(held_out, grids))
        leaks[split] = replace(audit.held_out[split], start_share=None if ground is None else ground.share)
        if ground is not None and ground.share:
            log.warning(
                "the model of training.start_from was trained on %.2f %% of the area of split %s: its figures "
                "overestimate the accuracy; test on other places",
                100 * ground.share,
                split,
            )
    return replace(audit, held_out=leaks, start_is_known=not unknown)


def _trained(origin: Origin) -> list[TrainingPlace]:
    return [place for place in origin.places if place.split == "train"]


def _shared_with(
    held_out: Mapping[str, Sequence[Window]], grids: Mapping[str, GeoBox], trained: Sequence[TrainingPlace]
) -> SharedGround | None:
    """Return the overlap of held-out tiles with places of a training; None if nothing can be compared."""
    learnt = [shape(place.outline) for place in trained if place.outline is not None]
    return shared_with(held_out, grids, lambda _: learnt) if held_out else None


def _without_crs(held_out: Iterable[str], grids: Mapping[str, GeoBox]) -> list[str]:
    return sorted(scene for scene in held_out if grids[scene].crs is None)


def _without_outline(origin: Origin) -> list[str]:
    """Return texts on the places of a training that cannot be compared."""
    bare = sorted({f"{place.scene} (training)" for place in _trained(origin) if place.outline is None})
    return bare if origin.places_are_complete else [*bare, "scenes of an earlier training"]
