"""Made land-cover maps of the region valley, and its metrics."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin

from clairemap.artefacts.metrics import ClassRow, MapScope, RegionMetrics, write_metrics

NAMES = ("water", "woods", "fields")
LEGEND = {"classes": [{"code": code, "name": name, "color": "#102030"} for code, name in enumerate(NAMES, start=1)]}
CRS = "EPSG:32633"
ORIGIN = 500_000, 5_000_000


def write_landcover(path: Path, codes: np.ndarray, **tags: str) -> None:
    """Write a map with pixels of 10 m; 255 is nodata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = codes.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", nodata=255, crs=CRS,
        transform=from_origin(*ORIGIN, 10, 10), tiled=True, blockxsize=64, blockysize=64, compress="DEFLATE",
    ) as file:  # fmt: skip
        file.write(codes, 1)
        file.update_tags(**tags)


def write_metrics_of(path: Path, users: tuple[float | None, ...] = (None, None, None)) -> None:
    """Write metrics with user's accuracies on test pixels; None: no labelled pixels of the class."""
    rows = tuple(
        ClassRow(
            name=name, code=code, iou=None, f1=None, boundary_f1=None, users_accuracy=user, producers_accuracy=None,
            truth_px=500, map_px=500, too_few=user is None,
        )
        for code, (name, user) in enumerate(zip(NAMES, users, strict=True), start=1)
    )  # fmt: skip
    tested = any(user is not None for user in users)
    scope: dict[str, Any] = {
        **dict.fromkeys(("miou", "oa", "f1", "ece", "boundary_f1", "entropy", "reason")),
        **{"classes_averaged": (), "per_class": rows, "confusion": (), "pixels": 0, "unmapped_px": 0, "tiles": 0},
        "too_few": False,
    }
    write_metrics(
        path,
        RegionMetrics(
            **scope, region="valley", headline="map" if tested else None, split="test" if tested else None, ignored=(),
            definition="", reading="", map=MapScope(**scope, training_px=0, shared_px=0, disagreeing_px=0), splits={},
            scenes={}, views={}, below_single_sensor=(), learnt=(), radiometry={}, cautions=(), smallest_truth_px=100,
            areas=(), area_method="", stamp={},
        ),
    )  # fmt: skip
