"""Result of an estimate: displacement, ties, quality and verdict."""

from dataclasses import dataclass

from clairemap.artefacts.registration import Quality, Search, Tie, Verdict
from clairemap.registration.model import NO_DISPLACEMENT, Displacement

MIN_WARP_PX = 0.25
"""Minimum displacement for warping: below it, resampling costs more sharpness than alignment gains."""


NO_QUALITY = Quality()


@dataclass(frozen=True)
class Fit:
    """Displacement with its evidence.

    `residuals_px` and `inlier` are each tie's distance from the model and whether it is an inlier.
    """

    verdict: Verdict
    reason: str
    model: Displacement
    quality: Quality
    ties: tuple[Tie, ...] = ()
    residuals_px: tuple[float, ...] = ()
    inlier: tuple[bool, ...] = ()
    search: Search = "near"

    def worth_applying(self, shape: tuple[int, int]) -> bool:
        """Return whether to warp SAR: good or weak, and moved by at least MIN_WARP_PX and twice the standard error."""
        error = self.quality.split_half_px
        least = max(MIN_WARP_PX, 2 * error if error is not None else 1.0)
        return self.verdict in ("good", "weak") and self.model.rms_px(shape) >= least


def single_sensor() -> Fit:
    """Return the fit of a scene with one sensor."""
    return Fit("single_sensor", "the scene has only one sensor", NO_DISPLACEMENT, NO_QUALITY)


def as_delivered() -> Fit:
    """Return the fit of a scene whose SAR is assumed to be co-registered: nothing estimated, nothing rejected."""
    return Fit("as_delivered", "taken as delivered (registration.model: none)", NO_DISPLACEMENT, NO_QUALITY)
