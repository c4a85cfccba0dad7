"""Conversion of an estimate to a scene's registration, and of a registration to the displacement of SAR."""

from dataclasses import asdict

from odc.geo.geobox import GeoBox

from clairemap.artefacts.registration import JudgedTie, MeanDisplacement, Registration
from clairemap.grid.scale import pixel_size_m
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit


def registration_of(scene: str, fit: Fit, optical: GeoBox | None) -> Registration:
    """Return a scene's registration from a fit; `optical` is the optical grid, None without optical."""
    shape = (1, 1) if optical is None else (int(optical.shape[0]), int(optical.shape[1]))
    return Registration(
        scene=scene,
        verdict=fit.verdict,
        reason=fit.reason,
        search=fit.search,
        applied=fit.worth_applying(shape),
        displacement_px=MeanDisplacement(*fit.model.mean_px(shape)),
        model=fit.model.coefficients,
        quality=fit.quality,
        optical_res_m=None if optical is None else pixel_size_m(optical),
        ties=tuple(
            JudgedTie(**asdict(tie), residual_px=residual, inlier=inlier)
            for tie, residual, inlier in zip(fit.ties, fit.residuals_px, fit.inlier, strict=True)
        ),
    )


def displacement_of(registration: Registration) -> Displacement:
    """Return the displacement for warping SAR: none unless the registration is applied."""
    return Displacement.of(registration.model) if registration.applied else NO_DISPLACEMENT
