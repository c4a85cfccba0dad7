import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.artefacts.model_card import write_model_card
from clairemap.artefacts.splits import write_splits
from clairemap.artefacts.tiles import TileId
from clairemap.errors import StoreError
from clairemap.metrics.calibration import Calibration
from clairemap.metrics.finer_counts import FinerCounts
from clairemap.metrics.tally import Tally, TileTally, write_tallies
from clairemap.raster.store import Layer, complete_store, create_store

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "score_region.py"

Stage = Callable[[str], Callable[..., Any]]

RIGHT = np.diag([6, 3, 1])
WRONG = np.array([[0, 6, 0], [3, 0, 0], [0, 0, 1]])


def write_scores(
    folder: Path, scene: str, view: str, matrices: list[np.ndarray], both: list[np.ndarray] | None = None
) -> Path:
    path = folder / scene / view / "scores.parquet"
    counted, seen_by_both = (
        [Tally(matrix, Calibration.empty(), col, 1) for col, matrix in enumerate(of)]
        for of in (matrices, both or matrices)
    )
    tiles = [
        TileTally(TileId(scene, 0, col), *counts, FinerCounts.empty(3))
        for col, counts in enumerate(zip(counted, seen_by_both, strict=True))
    ]
    write_tallies(path, tiles, {})
    return path


def score(stage: Stage, splits: Path, landcover: Path, metrics: Path, settings: str, **tables: Any) -> None:  # noqa: ANN401
    paths = {"splits": splits, "landcover": [landcover], "metrics": metrics}
    stage("score_region")(region="valley", settings=settings, **paths, **tables)


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
    table = pd.DataFrame(rows, columns=["scene", "row", "col", "split"])
    write_splits(path, table.assign(y0=0, x0=0, height=9, width=9, labelled_px=9, class_px=[[9, 0, 0]] * len(table)))
    return path


def test_sums_by_split_scene_and_view(stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str):
    fused = [
        write_scores(tmp_path, "a", "fused", [RIGHT, WRONG]),
        write_scores(tmp_path, "b", "fused", [RIGHT + WRONG]),
        write_scores(tmp_path, "c", "fused", [WRONG]),
    ]
    compared = [write_scores(tmp_path, "b", view, [WRONG]) for view in ("optical", "sar")]
    metrics = tmp_path / "metrics.json"
    score(stage, splits, landcover, metrics, scoring_json, scores=fused, compared=compared)
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
    assert "mIoU is the unweighted mean" in found["definition"]
    assert found["stamp"]["clairemap_stage"] == "score_region"


def test_views_are_scored_where_both_sensors_are_valid_and_the_map_everywhere(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str
):
    fused = write_scores(tmp_path, "b", "fused", [RIGHT + WRONG], both=[RIGHT])
    compared = write_scores(tmp_path, "b", "sar", [RIGHT], both=[WRONG])
    score(stage, splits, landcover, tmp_path / "metrics.json", scoring_json, scores=[fused], compared=[compared])
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["oa"] == found["scenes"]["b"]["oa"] == pytest.approx(11 / 20)
    assert (found["views"]["fused"]["oa"], found["views"]["sar"]["oa"]) == pytest.approx((1, 0.1))


def test_a_region_without_labels_is_not_an_error(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str
):
    metrics = tmp_path / "metrics.json"
    score(stage, splits, landcover, metrics, scoring_json, scores=[write_scores(tmp_path, "z", "fused", [])])
    found = json.loads(metrics.read_text())
    assert found["miou"] is None
    assert found["reason"] == "no labelled pixels"
    assert found["scenes"] == {}
    assert found["areas"][0]["map_px"] == 8


def test_metrics_do_not_depend_on_the_order_of_scenes(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str
):
    fused = [write_scores(tmp_path, name, "fused", [RIGHT, WRONG]) for name in ("a", "c")]
    documents = []
    for number, paths in enumerate((fused, fused[::-1])):
        score(stage, splits, landcover, tmp_path / f"{number}.json", scoring_json, scores=paths)
        documents.append(json.loads((tmp_path / f"{number}.json").read_text()))
    assert documents[0] == documents[1]


def test_the_command_line_works_without_score_tables(tmp_path: Path, splits: Path, landcover: Path, scoring_json: str):
    metrics = tmp_path / "metrics.json"
    words = {"region": "valley", "splits": splits, "landcover": landcover, "metrics": metrics, "settings": scoring_json}
    options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    answer = subprocess.run([sys.executable, str(SCRIPT), *options], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "valley: no accuracy (no labelled pixels)" in answer.stderr
    found = json.loads(metrics.read_text())
    assert (found["miou"], found["oa"], found["split"]) == (None, None, None)
    assert (found["reason"], found["views"]) == ("no labelled pixels", {})


def test_unseen_classes_and_scenes_worse_than_one_sensor_are_reported(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str, made_artefacts: ModuleType
):
    fused = [write_scores(tmp_path, "b", "fused", [100 * WRONG])]
    compared = [
        write_scores(tmp_path, "b", "optical", [100 * WRONG]),
        write_scores(tmp_path, "b", "sar", [100 * RIGHT]),
    ]
    metrics, card = tmp_path / "metrics.json", tmp_path / "model.json"
    write_model_card(card, made_artefacts.model_card((5000, 5000, 0)))
    score(stage, splits, landcover, metrics, scoring_json, scores=fused, compared=compared, card=card)
    found = json.loads(metrics.read_text())
    assert [row["learning"] for row in found["learnt"]] == ["enough", "enough", "unseen"]
    assert list(found["scenes"]["b"]["views"]) == ["fused", "optical", "sar"]
    assert [(row["scene"], row["sensor"], row["figure"]) for row in found["below_single_sensor"]] == [
        ("b", "sar", "mIoU"),
        ("b", "sar", "OA"),
    ]
    assert "The training data had no pixels of the class town" in found["cautions"][0]
    assert "On scene b, the map from both sensors scores 66.7 points of mIoU" in found["cautions"][-1]


def test_a_tile_without_a_split_is_an_error(
    stage: Stage, tmp_path: Path, splits: Path, landcover: Path, scoring_json: str
):
    metrics = tmp_path / "metrics.json"
    tables = [write_scores(tmp_path, "b", "fused", [RIGHT, WRONG])]
    with pytest.raises(StoreError, match="tile 0, 1 of scene b has scores but no split"):
        score(stage, splits, landcover, metrics, scoring_json, scores=tables)
    assert not metrics.exists()


def write_map(path: Path, codes: np.ndarray, crs: str | None = "EPSG:32633") -> Path:
    transform = Affine(10, 0, 500_000, 0, -10, 4_000_000) if crs else Affine.identity()
    with rasterio.open(
        path, "w", driver="GTiff", height=codes.shape[0], width=codes.shape[1], count=1, dtype="uint8", nodata=255,
        crs=crs, transform=transform,
    ) as target:  # fmt: skip
        target.write(codes, 1)
    return path


def write_tile_splits(path: Path, splits: dict[str, str]) -> Path:
    """Write the splits of scenes of 2 x 2 tiles."""
    rows = [(scene, row, col, split) for scene, split in splits.items() for row in range(2) for col in range(2)]
    table = pd.DataFrame(rows, columns=["scene", "row", "col", "split"])
    write_splits(path, table.assign(y0=0, x0=0, height=9, width=9, labelled_px=9, class_px=[[9, 0, 0]] * len(table)))
    return path


def test_the_map_is_scored_on_test_ground_without_training_ground(
    stage: Stage, tmp_path: Path, scoring_json: str, made_pairs: ModuleType
):
    made = made_pairs.make_scene(tmp_path, "b")
    learnt = made_pairs.make_scene(tmp_path, "l", shape=(300, 512))
    rng = np.random.default_rng(0)
    codes = np.where(rng.random((512, 512)) < 0.8, np.where(made.label == 255, 0, made.label) + 1, 2).astype(np.uint8)
    codes[:, -20:] = 255
    landcover = write_map(tmp_path / "valley.landcover.tif", codes)
    splits = write_tile_splits(tmp_path / "splits.parquet", {"b": "test", "l": "train"})
    fused = write_scores(tmp_path, "b", "fused", [RIGHT])
    tables = {"scores": [fused], "pair": [made.pair, learnt.pair]}
    score(stage, splits, landcover, tmp_path / "m.json", scoring_json, **tables)
    found = json.loads((tmp_path / "m.json").read_text())
    truth = made.label.copy()
    truth[:300][learnt.label != 255] = 255
    expected = [[np.count_nonzero((truth == t) & (codes == c + 1)) for c in range(3)] for t in range(3)]
    assert (found["headline"], found["split"], found["confusion"]) == ("map", "test", expected)
    assert found["map"]["training_px"] == np.count_nonzero((made.label[:300] != 255) & (learnt.label != 255))
    assert found["unmapped_px"] == np.count_nonzero((truth != 255) & (codes == 255))
    assert found["splits"]["test"]["oa"] == found["scenes"]["b"]["oa"] == 1
    assert "blocks of 512 x 512 px" in found["intervals"]["reason"]


def test_test_scenes_of_other_regions_are_not_scored(
    stage: Stage, tmp_path: Path, scoring_json: str, made_pairs: ModuleType
):
    made = made_pairs.make_scene(tmp_path, "b")
    landcover = write_map(tmp_path / "valley.landcover.tif", np.ones((512, 512), np.uint8))
    splits = write_tile_splits(tmp_path / "splits.parquet", {"b": "test"})
    score(stage, splits, landcover, tmp_path / "m.json", scoring_json, pair=[made.pair])
    assert json.loads((tmp_path / "m.json").read_text())["map"]["reason"] == "no labels on test ground"


def test_without_a_crs_only_the_scene_of_a_map_is_scored_on_it(stage: Stage, tmp_path: Path, scoring_json: str):
    fused = [write_scores(tmp_path, scene, "fused", [RIGHT]) for scene in "ab"]
    pairs = []
    for scene, value in (("a", 0), ("b", 1)):
        part = tmp_path / f"{scene}.part"
        store = create_store(
            part, GeoBox((512, 512), Affine.identity(), None), [Layer("label", "uint8", fill=value)],
            tile_px=256, shard_tiles=2, attributes={"scene": scene},
        )  # fmt: skip
        for window in store.shards():
            store.write("label", window, np.full(window.shape, value, np.uint8))
        complete_store(part, tmp_path / scene / "pair.zarr")
        pairs.append(tmp_path / scene / "pair.zarr")
    splits = write_tile_splits(tmp_path / "splits.parquet", {"a": "test", "b": "test"})
    maps = [write_map(tmp_path / f"{scene}.landcover.tif", np.ones((512, 512), np.uint8), None) for scene in "ab"]
    stage("score_region")(
        region="valley", settings=scoring_json, splits=splits, landcover=maps, metrics=tmp_path / "m.json",
        scores=fused, pair=pairs,
    )  # fmt: skip
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["map"]["confusion"] == [[512 * 512, 0, 0], [512 * 512, 0, 0], [0, 0, 0]]
    assert found["map"]["shared_px"] == 0
    # The map of a scene without labels is not compared with the only labelled scene.
    unlabelled = write_map(tmp_path / "c.landcover.tif", np.full((512, 512), 2, np.uint8), None)
    stage("score_region")(
        region="valley", settings=scoring_json, splits=splits, landcover=[maps[0], unlabelled],
        metrics=tmp_path / "m.json", scores=fused[:1], pair=pairs,
    )  # fmt: skip
    found = json.loads((tmp_path / "m.json").read_text())
    assert found["map"]["confusion"] == [[512 * 512, 0, 0], [0, 0, 0], [0, 0, 0]]
