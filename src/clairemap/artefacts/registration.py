"""The registration of a scene as a file, ``registration.json``: displacement of SAR, its quality, its tie points."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from clairemap.artefacts.document import read_document, write_document

Verdict = Literal["good", "weak", "rejected", "single_sensor", "as_delivered"]
Search = Literal["near", "wide"]
Kind = Literal["translation", "similarity", "affine", "polynomial"]

TERMS: dict[Kind, int] = {"translation": 1, "similarity": 3, "affine": 3, "polynomial": 6}
"""Coefficients of each coordinate: a constant, then linear, then quadratic terms."""

TIE_DECIMALS = 3
"""Decimals of the tie points' figures in the file."""


@dataclass(frozen=True)
class DisplacementModel:
    """Coefficients of a field of displacements in pixels of the optical grid; `registration.model` evaluates it.

    `dy_px` and `dx_px` weigh the terms 1, u, v, u², uv, v² (as many as the kind has) of the normalised coordinates
    u = (x - centre x) / scale and v = (y - centre y) / scale. `centre` is (y, x).
    """

    kind: Kind
    dy_px: tuple[float, ...]
    dx_px: tuple[float, ...]
    centre: tuple[float, float] = (0.0, 0.0)
    scale_px: float = 1.0

    def __post_init__(self) -> None:
        """Check that there is a coefficient for each term."""
        if {len(self.dy_px), len(self.dx_px)} != {TERMS[self.kind]}:
            raise ValueError(f"a model of kind {self.kind} has {TERMS[self.kind]} coefficients for each coordinate")


@dataclass(frozen=True)
class MeanDisplacement:
    """The mean displacement of SAR over the scene, optical pixels."""

    dy: float
    dx: float


@dataclass(frozen=True)
class Quality:
    """How well ties agree with a displacement. Lengths in optical pixels; None where too few ties agree.

    `cross_validated_rmse_px` is taken over all ties, each against a model fitted without its part of the scene, and
    with residuals bounded by the radius within which ties agree. `split_half_px` is a standard error: half the
    distance between models from disjoint halves of the ties. `coverage` is the share of the scene's parts in which
    at least half of the ties agree, among those that could be matched. `false_alarms` is how many agreements of this
    size are expected by chance.
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
    """A tie point: the centre of a window, and the best displacement of SAR there; optical pixels."""

    y: float
    x: float
    dy: float
    dx: float
    strength: float


@dataclass(frozen=True)
class JudgedTie(Tie):
    """A tie point, its distance from the displacement model, and whether it agrees with it."""

    residual_px: float
    inlier: bool


@dataclass(frozen=True)
class Registration:
    """A scene's displacement between SAR and optical; `applied` says whether SAR is moved by it.

    `search` is the search that found it: near the georeferencing, or wide, over rotation and scale. `optical_res_m` is
    the pixel size of the optical grid, None if it is not known.
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
    """Write the registration with a stamp as JSON, whole or not at all; figures of tie points are rounded."""
    ties = tuple(_rounded(tie) for tie in registration.ties)
    write_document(path, replace(registration, ties=ties, stamp=dict(stamp)))


def read_registration(path: Path) -> Registration:
    """Return the registration of a scene.

    Raises:
        StoreError: the file is missing, damaged, or has an unknown kind of model.
    """
    return read_document(path, Registration, "registration", "register_pair")


def _rounded(tie: JudgedTie) -> JudgedTie:
    figures = {name: round(value, TIE_DECIMALS) for name, value in asdict(tie).items() if name != "inlier"}
    return JudgedTie(**figures, inlier=tie.inlier)
