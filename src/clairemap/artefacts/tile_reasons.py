"""Reasons for the map of a tile: facts that say why, how sure, and what to check."""

from typing import Literal

from clairemap.artefacts.document import DocumentModel
from clairemap.artefacts.model_card import UnseenScenes


class Deviation(DocumentModel):
    """Difference between a mean in the tile and the mean in training, in standard deviations of training."""

    quantity: str
    sensor: Literal["optical", "sar"]
    deviations: float


class TrackRecord(DocumentModel):
    """How often validation pixels of the same mapped class and confidence were right.

    Confidences are from `from_pct` up to `to_pct`, percent; `px` is the number of validation pixels.
    """

    from_pct: int
    to_pct: int
    right_pct: int
    px: int


class WithoutSensor(DocumentModel):
    """What the network would map without one sensor, where it maps the class.

    Attributes:
        sensor: sensor that is left out.
        changed_pct: share of the class's pixels that would have another class.
        instead: most frequent of these classes; None if nothing changes.
        instead_pct: share of the class's pixels that would have this class.
    """

    sensor: Literal["optical", "sar"]
    changed_pct: int
    instead: str | None = None
    instead_pct: int = 0


class ClassReasons(DocumentModel):
    """Reasons for one mapped class of a tile.

    Attributes:
        name: of the class.
        px: pixels mapped as the class.
        optical_share_pct: mean weight of the optical image in these pixels.
        runner_up: most frequent second most probable class.
        margin_pct: mean difference between the probabilities of both classes there, percentage points.
        compared: whether the values of the pixels could be compared with training.
        unusual: quantities that differ clearly from the class in training, the largest difference first.
        record: accuracy of such pixels in validation; None if it is unknown or from too few pixels.
        without: what the map would show without each sensor; empty if that was not computed.
    """

    name: str
    px: int
    optical_share_pct: int
    runner_up: str
    margin_pct: int
    compared: bool = False
    unusual: tuple[Deviation, ...] = ()
    record: TrackRecord | None = None
    without: tuple[WithoutSensor, ...] = ()


class MayBeMissed(DocumentModel):
    """A class whose summed probability clearly exceeds its mapped area; both in percent of the mapped pixels."""

    name: str
    mapped_pct: float
    expected_pct: float


class TileReasons(DocumentModel):
    """Reasons for the map of a tile.

    Attributes:
        classes: reasons for each mapped class with enough pixels, largest first.
        edge_pct: share of the mapped pixels with a pixel of another class above, below, left or right.
        isolated_pct: share of the mapped pixels without a pixel of the same class around them.
        may_be_missed: classes that may be missing from the map, the largest difference first.
        shifted: bands whose mean differs clearly from all training pixels, the largest difference first.
        calibration_scenes: number of scenes that the confidence was calibrated on; None if unknown.
        unseen: calibration error on scenes that were not used; None if unknown.
    """

    classes: tuple[ClassReasons, ...] = ()
    edge_pct: int = 0
    isolated_pct: int = 0
    may_be_missed: tuple[MayBeMissed, ...] = ()
    shifted: tuple[Deviation, ...] = ()
    calibration_scenes: int | None = None
    unseen: UnseenScenes | None = None
