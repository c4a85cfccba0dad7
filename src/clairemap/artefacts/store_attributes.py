"""Attributes of the stores ``pair.zarr`` and ``probabilities.zarr``."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from clairemap.artefacts.registration import Verdict
from clairemap.settings import Sensor, View

StoredSarScale = Literal["db", "digital"]
"""Scale of stored SAR values: decibels, or digital numbers."""


class StoreAttributes(BaseModel):
    """Attributes of all stores. Stamp and tile layout are not included."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    scene: str


class BandMoments(BaseModel):
    """Mean and standard deviation of each band of one sensor over the usable pixels of a scene."""

    model_config = ConfigDict(frozen=True)

    mean: tuple[float, ...]
    std: tuple[float, ...]


class PairAttributes(StoreAttributes):
    """Attributes of a scene's pair: registration verdict, file name by role, and whether it has a CRS.

    `class_codes` are the codes of the label's class indices, in order; stores of earlier versions have none.
    `optical_unit` is the unit of the optical values if the product defines it. `moments` are set when all pixels are
    written; a sensor with too few usable pixels has none.
    """

    sar_scale: StoredSarScale
    registration: Verdict
    sources: dict[str, str]
    georeferenced: bool
    class_codes: tuple[int, ...] = ()
    optical_unit: str | None = None
    moments: dict[Sensor, BandMoments] | None = None


class ProbabilityAttributes(StoreAttributes):
    """Attributes of a scene's class probabilities; class names and codes are in layer order."""

    view: View
    class_names: tuple[str, ...]
    class_codes: tuple[int, ...]
    georeferenced: bool
