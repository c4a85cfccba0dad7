"""What an estimate says: a displacement, its ties, figures of quality and a verdict."""

from dataclasses import dataclass
from typing import Literal

from clairemap.registration.model import NO_DISPLACEMENT, Displacement

Verdict = Literal["good", "weak", "rejected", "single_sensor", "as_delivered"]
Search = Literal["near", "wide"]

SMALLEST_WORTH_WARPING_PX = 0.25
"""Displacements below this stay: resampling costs more sharpness than they cost in alignment."""


@dataclass(frozen=True)
class Tie:
    """One window's best displacement: where its centre lies and by how much SAR is displaced, optical pixels."""

    y: float
    x: float
    dy: float
    dx: float
    strength: float


@dataclass(frozen=True)
class Quality:
    """How well ties agree with a displacement. Lengths in optical pixels; None where too few ties agree.

    `cross_validated_rmse_px` is taken over all ties, each against a model fitted without its part of the scene, and
    with residuals bounded by the radius within which ties agree. `split_half_px` is a standard error: half the
    distance between models from disjoint halves of the ties. `coverage` is the share of the scene's parts in which
    at least half of the ties agree, among those that could be matched. `false_alarms` is how many so large agreements
    are expected among unrelated pictures.
    """

    ties: int = 0
    inliers: int = 0
    inlier_share: float = 0.0
    rmse_px: float | None = None
    cross_validated_rmse_px: float | None = None
    split_half_px: float | None = None
    coverage: float = 0.0
    false_alarms: float | None = None


NO_QUALITY = Quality()


@dataclass(frozen=True)
class Fit:
    """A displacement with its evidence; `residuals_px` and `inlier` hold each tie's distance and whether it agrees."""

    verdict: Verdict
    reason: str
    model: Displacement
    quality: Quality
    ties: tuple[Tie, ...] = ()
    residuals_px: tuple[float, ...] = ()
    inlier: tuple[bool, ...] = ()
    search: Search = "near"

    def worth_applying(self, shape: tuple[int, int]) -> bool:
        """Return whether SAR is to be moved: the displacement is believed, worth resampling and beyond its error."""
        error = self.quality.split_half_px
        least = max(SMALLEST_WORTH_WARPING_PX, 2 * error if error is not None else 1.0)
        return self.verdict in ("good", "weak") and self.model.rms_px(shape) >= least


def single_sensor() -> Fit:
    """Return the fit of a scene with one sensor: there is nothing to displace."""
    return Fit("single_sensor", "the scene has one sensor only: nothing to register", NO_DISPLACEMENT, NO_QUALITY)


def as_delivered() -> Fit:
    """Return the fit of a scene whose SAR is taken to lie right as it is: nothing was estimated, nothing rejected."""
    return Fit(
        "as_delivered", "taken as delivered, as the settings say (registration.model)", NO_DISPLACEMENT, NO_QUALITY
    )
