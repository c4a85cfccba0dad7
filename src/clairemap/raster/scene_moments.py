"""Band moments of a whole scene, as `tile_scene` stores them with its pair."""

import logging
from collections.abc import Mapping

from clairemap.artefacts.store_attributes import BandMoments, PairAttributes
from clairemap.errors import StoreError
from clairemap.raster.store import GridStore
from clairemap.settings import Sensor

log = logging.getLogger(__name__)


def scene_moments(pair: GridStore) -> Mapping[Sensor, BandMoments]:
    """Return mean and standard deviation of each band by sensor; logs a warning for a sensor without moments.

    Raises:
        StoreError: the pair is from an earlier version, without moments.
    """
    found = pair.attributes_as(PairAttributes)
    if found.moments is None:
        raise StoreError(f"{pair.path}: it has no band moments of the scene; delete it and run tile_scene again")
    sensors: tuple[Sensor, ...] = ("optical", "sar")
    for sensor in sensors:
        if sensor in found.sources and sensor not in found.moments:
            log.warning(
                "%s: too few usable %s pixels for moments of the scene; normalised as in training", found.scene, sensor
            )
    return found.moments
