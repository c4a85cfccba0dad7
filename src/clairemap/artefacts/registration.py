"""Registration of a scene: ``registration.json`` with displacement of SAR, quality and tie points."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from clairemap.artefacts.document import read_document, write_document

Verdict = Literal["good", "weak", "rejected", "single_sensor", "as_delivered"]
Search = Literal["near", "wide"]
Kind = Literal["translation", "similarity", "affine", "polynomial"]

TERMS: dict[Kind, int] = {"translation": 1, "similarity": 3, "affine": 3, "polynomial": 6}
"""Number of coefficients per coordinate: constant, linear, quadratic terms."""

TIE_DECIMALS = 3
"""Decimals of tie point values in the file."""


@dataclass(frozen=True)
class DisplacementModel:
    """Coefficients of a displacement field in optical pixels; evaluated by `registration.model`.

    `dy_px` and `dx_px` are the coefficients of the first terms of 1, u, v, u², uv, v², with u = (x - centre x) / scale
    and v = (y - centre y) / scale. `centre` is (y, x).
    """

    kind: Kind
    dy_px: tuple[float, ...]
    dx_px: tuple[float, ...]
    centre: tuple[float, float] = (0.0, 0.0)
    scale_px: float = 1.0

    def __post_init__(self) -> None:
        """Check the number of coefficients."""
        if {len(self.dy_px), len(self.dx_px)} != {TERMS[self.kind]}:
            raise ValueError(f"a model of kind {self.kind} has {TERMS[self.kind]} coefficients per coordinate")


@dataclass(frozen=True)
class MeanDisplacement:
    """Mean displacement of SAR over the scene, optical pixels."""

    dy: float
    dx: float


@dataclass(frozen=True)
class Quality:
    """Agreement of tie points with a displacement model. Lengths in optical pixels; None with too few inliers.

    Attributes:
        cross_validated_rmse_px: RMSE over all tie points, each compared with a model fitted without its section of
            the scene; residuals are clipped at the inlier radius.
        split_half_px: standard error: half the distance between models from disjoint halves of the tie points.
        coverage: share (0..1) of the sections with tie points in which at least half of them are inliers.
        false_alarms: number of agreements of this size expected by chance.
    """

    ties: int = 0
    inliers: int = 0
    inlier_share: float = 0.0
    rmse_px: float | None = None
    cross_validated_rmse_px: float | None = None
    split_half_px: float | None = None
    coverage: float = 0.0
    false_alarms: float | None = None


@dataclass(frozen=True)
class Tie:
    """Tie point: centre of a window and best displacement of SAR there, optical pixels."""

    y: float
    x: float
    dy: float
    dx: float
    strength: float


@dataclass(frozen=True)
class JudgedTie(Tie):
    """Tie point with its residual from the displacement model."""

    residual_px: float
    inlier: bool


@dataclass(frozen=True)
class Registration:
    """Displacement between SAR and optical of a scene; `applied`: whether SAR is resampled with it.

    `search`: near the georeferencing, or wide, over rotation and scale. `optical_res_m` is the pixel size of the
    optical grid, None if unknown.
    """

    scene: str
    verdict: Verdict
    reason: str
    search: Search
    applied: bool
    displacement_px: MeanDisplacement
    model: DisplacementModel
    quality: Quality
    optical_res_m: float | None
    ties: tuple[JudgedTie, ...]
    stamp: Mapping[str, str] = field(default_factory=dict)


def write_registration(path: Path, registration: Registration, stamp: Mapping[str, str]) -> None:
    """Write the registration with a stamp as JSON, atomically; values of tie points are rounded."""
    ties = tuple(_rounded(tie) for tie in registration.ties)
    write_document(path, replace(registration, ties=ties, stamp=dict(stamp)))


def read_registration(path: Path) -> Registration:
    """Return the registration of a scene.

    Raises:
        StoreError: the file is missing, damaged, or has an unknown model kind.
    """
    return read_document(path, Registration, "registration", "register_pair")


def _rounded(tie: JudgedTie) -> JudgedTie:
    figures = {name: round(value, TIE_DECIMALS) for name, value in asdict(tie).items() if name != "inlier"}
    return JudgedTie(**figures, inlier=tie.inlier)
