import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine

from clairemap.metrics.calibration import Calibration
from clairemap.metrics.tally import Tally, TileTally, write_tallies

Stage = Callable[[str], Callable[..., Any]]

RIGHT = np.diag([6, 3, 1])
WRONG = np.array([[0, 6, 0], [3, 0, 0], [0, 0, 1]])


def write_scores(folder: Path, scene: str, view: str, matrices: list[np.ndarray]) -> Path:
    path = folder / scene / view / "scores.parquet"
    tiles = [
        TileTally(scene, 0, col, Tally(matrix, Calibration.empty(), col, 1)) for col, matrix in enumerate(matrices)
    ]
    write_tallies(path, tiles, {})
    return path


@pytest.fixture
def landcover(tmp_path: Path) -> Path:
    path = tmp_path / "valley.landcover.tif"
    codes = np.array([[1, 1, 2, 255]] * 4, np.uint8)
    transform = Affine(10, 0, 5e5, 0, -10, 4e6)
    with rasterio.open(
        path, "w", driver="GTiff", height=4, width=4, count=1, dtype="uint8", crs="EPSG:32633", transform=transform
    ) as target:
        target.write(codes, 1)
    return path


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    path = tmp_path / "splits.parquet"
    rows = [("a", 0, 0, "train"), ("a", 0, 1, "val"), ("b", 0, 0, "test"), ("elsewhere", 0, 0, "test")]
    pd.DataFrame(rows, columns=["scene", "row", "col", "split"]).to_parquet(path)
    return path


def test_sums_by_split_scene_and_view(stage: Stage, tmp_path: Path, splits: Path, landcover: Path, legend_json: str):
    fused = [
        write_scores(tmp_path, "a", "fused", [RIGHT, WRONG]),
        write_scores(tmp_path, "b", "fused", [RIGHT + WRONG]),
        write_scores(tmp_path, "c", "fused", [WRONG]),
    ]
    compared = [write_scores(tmp_path, "b", view, [WRONG]) for view in ("optical", "sar")]
    metrics = tmp_path / "metrics.json"
    stage("score_region")("valley", fused, splits, [landcover], metrics, legend_json, compared)
    found = json.loads(metrics.read_text())
    assert found["region"] == "valley"
    assert found["split"] == "test"
    assert found["oa"] == pytest.approx(11 / 20)
    assert found["miou"] == pytest.approx((6 / 15 + 3 / 12 + 1) / 3)
    assert found["classes_averaged"] == ["water", "fields", "town"]
    assert {name: part["oa"] for name, part in found["splits"].items()} == pytest.approx(
        {"train": 1, "val": 0.1, "test": 11 / 20, "predict": 0.1}
    )
    assert found["scenes"]["a"]["oa"] == pytest.approx(11 / 20)
    assert found["scenes"]["a"]["tile_splits"] == ["train", "val"]
    assert list(found["views"]) == ["fused", "optical", "sar"]
    assert found["views"]["fused"]["oa"] == pytest.approx(11 / 20)
    assert found["views"]["sar"]["oa"] == pytest.approx(0.1)
    assert [(row["map_px"], row["map_ha"]) for row in found["areas"]] == [(8, 0.08), (4, 0.04), (0, 0)]
    assert "mIoU is the plain mean" in found["definition"]
    assert found["stamp"]["clairemap_stage"] == "score_region"


def test_a_region_without_labels_is_no_failure(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, legend_json: str
):
    metrics = tmp_path / "metrics.json"
    stage("score_region")(
        "valley", [write_scores(tmp_path, "z", "fused", [])], splits, [landcover], metrics, legend_json
    )
    found = json.loads(metrics.read_text())
    assert found["miou"] is None
    assert found["reason"] == "no labelled pixels"
    assert found["scenes"] == {}
    assert found["areas"][0]["map_px"] == 8


def test_the_order_of_scenes_has_no_influence_on_the_figures(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, legend_json: str
):
    fused = [write_scores(tmp_path, name, "fused", [RIGHT, WRONG]) for name in ("a", "b")]
    documents = []
    for number, paths in enumerate((fused, fused[::-1])):
        stage("score_region")("valley", paths, splits, [landcover], tmp_path / f"{number}.json", legend_json)
        documents.append(json.loads((tmp_path / f"{number}.json").read_text()))
    assert documents[0] == documents[1]
