"""The registration of a scene as a file: ``registration.json``."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyproj
from odc.geo.geobox import GeoBox

from clairemap.errors import StoreError
from clairemap.provenance import write_text_whole
from clairemap.registration.fit import Fit, Quality, Verdict
from clairemap.registration.match import Tie
from clairemap.registration.model import NO_DISPLACEMENT, Translation


@dataclass(frozen=True)
class Registration:
    """A scene's displacement between SAR and optical; `applied` says whether SAR is moved by it."""

    scene: str
    verdict: Verdict
    reason: str
    model: Translation
    applied: bool
    quality: Quality
    ties: tuple[Tie, ...]
    inlier: tuple[bool, ...]
    optical_res_m: float | None

    @classmethod
    def of(cls, scene: str, fit: Fit, optical: GeoBox | None) -> "Registration":
        """Return a scene's record of a fit; `optical` is the optical grid, if there is one."""
        res_m = None if optical is None else pixel_size_m(optical)
        return cls(scene, fit.verdict, fit.reason, fit.model, fit.applied, fit.quality, fit.ties, fit.inlier, res_m)

    @property
    def displacement(self) -> Translation:
        """The displacement to warp SAR by: none unless applied."""
        return self.model if self.applied else NO_DISPLACEMENT


def write_registration(path: Path, registration: Registration, stamp: Mapping[str, str]) -> None:
    """Write the record as JSON, whole or not at all."""
    ties = [
        {name: round(value, 3) for name, value in dataclasses.asdict(tie).items()} | {"inlier": inlier}
        for tie, inlier in zip(registration.ties, registration.inlier, strict=True)
    ]
    model = {"kind": "translation", "dx_px": registration.model.dx_px, "dy_px": registration.model.dy_px}
    content = {
        "scene": registration.scene,
        "verdict": registration.verdict,
        "reason": registration.reason,
        "model": model,
        "applied": registration.applied,
        "quality": dataclasses.asdict(registration.quality),
        "ties": ties,
        "optical_res_m": registration.optical_res_m,
        "stamp": dict(stamp),
    }
    write_text_whole(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_registration(path: Path) -> Registration:
    """Return the record of a scene.

    Raises:
        StoreError: the file is missing, damaged, or holds an unknown kind of model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["model"]["kind"] != "translation":
            raise ValueError(f"unknown kind of model {content['model']['kind']!r}")
        return _from_json(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path}: is no registration ({error!r}); delete it and run again") from None


def _from_json(content: dict[str, Any]) -> Registration:
    ties = content["ties"]
    return Registration(
        scene=content["scene"],
        verdict=content["verdict"],
        reason=content["reason"],
        model=Translation(content["model"]["dy_px"], content["model"]["dx_px"]),
        applied=content["applied"],
        quality=Quality(**content["quality"]),
        ties=tuple(Tie(tie["y"], tie["x"], tie["dy"], tie["dx"], tie["strength"]) for tie in ties),
        inlier=tuple(tie["inlier"] for tie in ties),
        optical_res_m=content["optical_res_m"],
    )


def pixel_size_m(grid: GeoBox) -> float | None:
    """Return the side of a square as large as the grid's middle pixel, in metres; None without a CRS."""
    if grid.crs is None:
        return None
    if not grid.crs.geographic:
        unit_m = grid.crs.proj.axis_info[0].unit_conversion_factor
        return float(unit_m * math.sqrt(abs(grid.transform.determinant)))
    rows, cols = grid.shape
    transform = grid.transform
    lon = transform.c + transform.a * cols / 2 + transform.b * rows / 2
    lat = transform.f + transform.d * cols / 2 + transform.e * rows / 2
    geod = pyproj.Geod(ellps="WGS84")
    across = geod.inv(lon, lat, lon + transform.a, lat + transform.d)[2]
    down = geod.inv(lon, lat, lon + transform.b, lat + transform.e)[2]
    return math.sqrt(across * down)
