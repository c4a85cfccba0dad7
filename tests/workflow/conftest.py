"""A small region for runs of the whole workflow, and a copy of the project whose code can be edited."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine

PROJECT = Path(__file__).parents[2]
SIZE_PX = 300
CONFIG = {
    "legend": {
        "classes": [
            {"code": 10, "name": "water", "color": "#3b7dd8"},
            {"code": 20, "name": "fields", "color": "#e8c95a"},
            {"code": 30, "name": "woods", "color": "#1f6f3a"},
        ]
    },
    "sensors": {"optical": {"bands": ["red", "green", "nir"]}, "sar": {"bands": ["VV"]}},
    "tiling": {"tile_px": 128},
    "training": {"steps": 8, "batch_size": 2, "crop_px": 128, "validate_every": 4, "checkpoint_every": 2},
}
SCENES = (("west", "north", "train", 0), ("middle", "north", "val", 250), ("east", "north", "test", 500))
UNLABELLED = ("far", "south", "predict", 420)


def _write_scene(folder: Path, name: str, offset_px: int) -> None:
    """Write optical, SAR and label of a window of one landscape of three classes, so that neighbours overlap."""
    rng = np.random.default_rng(offset_px)
    world = np.kron(np.random.default_rng(7).integers(0, 3, (8, 16)), np.ones((50, 50), np.int64))
    classes = world[:SIZE_PX, offset_px : offset_px + SIZE_PX]
    speckle = rng.gamma(4.0, 0.25, classes.shape)
    layers = {
        "optical": np.array([[300, 900, 400], [500, 1100, 700], [200, 2500, 3500]])[:, classes]
        + rng.normal(0, 60, (3, *classes.shape)),
        "sar": (np.array([0.006, 0.06, 0.16])[classes] * speckle)[None],
        "label": (classes[None] + 1) * 10,
    }
    types = {"optical": "uint16", "sar": "float32", "label": "uint8"}
    for role, values in layers.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        profile = {"driver": "GTiff", "height": SIZE_PX, "width": SIZE_PX, "count": len(values), "dtype": types[role]}
        transform = Affine(10, 0, 600_000 + 10 * offset_px, 0, -10, 5_400_000)
        with rasterio.open(
            folder / name / f"{role}.tif", "w", crs="EPSG:32633", transform=transform, **profile
        ) as file:
            file.write(values.clip(0).astype(types[role]))


@pytest.fixture
def write_scene() -> Callable[[Path, str, int], None]:
    """Return a function that writes the files of a scene: ``write_scene(folder, name, offset_px)``."""
    return _write_scene


@pytest.fixture
def region(tmp_path: Path) -> Path:
    """Return a folder with scenes of two regions, one of them unlabelled, their sheet and a config file.

    The folder's name contains a space.
    """
    folder = tmp_path / "two regions"
    rows = ["scene,region,split,optical,sar,label"]
    for name, belongs_to, split, offset_px in (*SCENES, UNLABELLED):
        _write_scene(folder / "scenes", name, offset_px)
        roles = ("optical", "sar", "label") if split != "predict" else ("optical", "sar")
        files = [f"scenes/{name}/{role}.tif" for role in roles] + [""] * (3 - len(roles))
        rows.append(",".join([name, belongs_to, split, *files]))
    (folder / "scenes.csv").write_text("\n".join(rows) + "\n")
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, "scenes": "scenes.csv"}))
    return folder


@pytest.fixture
def project_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the code that a test may edit."""
    return copy_project(tmp_path_factory.mktemp("project"))


def copy_project(copy: Path) -> Path:
    """Copy the code to a folder, with its bytecode and the hashes of its stages, and return the folder."""
    shutil.copy(PROJECT / "Snakefile", copy)
    for part in ("config", "envs", "profiles", "src", "workflow"):
        ignored = shutil.ignore_patterns("*.egg-info")
        shutil.copytree(PROJECT / part, copy / part, ignore=ignored, copy_function=_copy_if_present)
    return copy


def _copy_if_present(source: str, target: str) -> None:
    """Copy a file, unless it was a temporary one that another process has renamed meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
