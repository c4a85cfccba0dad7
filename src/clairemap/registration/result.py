"""What an estimate says: a displacement, its ties, figures of quality and a verdict."""

from dataclasses import dataclass

from clairemap.artefacts.registration import Quality, Search, Tie, Verdict
from clairemap.registration.model import NO_DISPLACEMENT, Displacement

SMALLEST_WORTH_WARPING_PX = 0.25
"""Displacements below this stay: resampling costs more sharpness than they cost in alignment."""


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
