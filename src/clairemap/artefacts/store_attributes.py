"""The attributes of the stores ``pair.zarr`` and ``probabilities.zarr``: what they are of, besides arrays and grid."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from clairemap.artefacts.registration import Verdict
from clairemap.settings import View

StoredSarScale = Literal["db", "digital"]
"""Scale of stored SAR values: decibels, or digital numbers as delivered."""


class StoreAttributes(BaseModel):
    """What all stores have: the name of their scene. The stamp and the layout of tiles are not part of the model."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    scene: str


class PairAttributes(StoreAttributes):
    """Attributes of a scene's pair.

    `registration` is the verdict on its registration, `sources` the file name of each role, `georeferenced` says
    whether it has a CRS.
    """

    sar_scale: StoredSarScale
    registration: Verdict
    sources: dict[str, str]
    georeferenced: bool


class ProbabilityAttributes(StoreAttributes):
    """Attributes of a scene's class probabilities; names and codes of the classes in the order of the layers."""

    view: View
    class_names: tuple[str, ...]
    class_codes: tuple[int, ...]
    georeferenced: bool
