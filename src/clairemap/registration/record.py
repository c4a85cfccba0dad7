"""The registration of a scene as a file: ``registration.json``."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from clairemap.errors import StoreError
from clairemap.grid.scale import pixel_size_m
from clairemap.provenance import write_text_whole
from clairemap.registration.model import NO_DISPLACEMENT, Displacement
from clairemap.registration.result import Fit, Quality, Search, Tie, Verdict


@dataclass(frozen=True)
class Registration:
    """A scene's displacement between SAR and optical; `applied` says whether SAR is moved by it.

    `displacement_px` is the mean displacement (dy, dx) over the scene. `residuals_px` and `inlier` say for each tie
    how far it lies from the model and whether it agrees with it.
    """

    scene: str
    verdict: Verdict
    reason: str
    search: Search
    model: Displacement
    displacement_px: tuple[float, float]
    applied: bool
    quality: Quality
    ties: tuple[Tie, ...]
    residuals_px: tuple[float, ...]
    inlier: tuple[bool, ...]
    optical_res_m: float | None

    @classmethod
    def of(cls, scene: str, fit: Fit, optical: GeoBox | None) -> "Registration":
        """Return a scene's record of a fit; `optical` is the optical grid, if there is one."""
        res_m = None if optical is None else pixel_size_m(optical)
        shape = (1, 1) if optical is None else (int(optical.shape[0]), int(optical.shape[1]))
        return cls(
            scene, fit.verdict, fit.reason, fit.search, fit.model, fit.model.mean_px(shape),
            fit.worth_applying(shape), fit.quality, fit.ties, fit.residuals_px, fit.inlier, res_m,
        )  # fmt: skip

    @property
    def displacement(self) -> Displacement:
        """The displacement to warp SAR by: none unless applied."""
        return self.model if self.applied else NO_DISPLACEMENT


def write_registration(path: Path, registration: Registration, stamp: Mapping[str, str]) -> None:
    """Write the record as JSON, whole or not at all."""
    ties = [
        {name: round(value, 3) for name, value in {**dataclasses.asdict(tie), "residual_px": residual}.items()}
        | {"inlier": inlier}
        for tie, residual, inlier in zip(registration.ties, registration.residuals_px, registration.inlier, strict=True)
    ]
    content = {
        "scene": registration.scene,
        "verdict": registration.verdict,
        "reason": registration.reason,
        "search": registration.search,
        "applied": registration.applied,
        "displacement_px": dict(zip(("dy", "dx"), registration.displacement_px, strict=True)),
        "model": dataclasses.asdict(registration.model),
        "quality": dataclasses.asdict(registration.quality),
        "optical_res_m": registration.optical_res_m,
        "ties": ties,
        "stamp": dict(stamp),
    }
    write_text_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_registration(path: Path) -> Registration:
    """Return the record of a scene.

    Raises:
        StoreError: the file is missing, damaged, or holds an unknown kind of model.
    """
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is no registration ({error!r}); delete it and run again") from None


def _from_json(content: dict[str, Any]) -> Registration:
    ties, model = content["ties"], content["model"]
    return Registration(
        scene=content["scene"],
        verdict=content["verdict"],
        reason=content["reason"],
        search=content["search"],
        model=Displacement(
            model["kind"],
            _numbers(model["dy_px"]),
            _numbers(model["dx_px"]),
            _pair(model["centre"]),
            float(model["scale_px"]),
        ),  # fmt: skip
        displacement_px=(content["displacement_px"]["dy"], content["displacement_px"]["dx"]),
        applied=content["applied"],
        quality=Quality(**content["quality"]),
        ties=tuple(Tie(tie["y"], tie["x"], tie["dy"], tie["dx"], tie["strength"]) for tie in ties),
        residuals_px=tuple(tie["residual_px"] for tie in ties),
        inlier=tuple(tie["inlier"] for tie in ties),
        optical_res_m=content["optical_res_m"],
    )


def _numbers(values: Iterable[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _pair(values: Iterable[Any]) -> tuple[float, float]:
    y, x = _numbers(values)
    return y, x
