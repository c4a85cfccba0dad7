"""Bad input to training: an error before it starts, or documented behaviour."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clairemap.artefacts.registration import write_registration
from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.raster.store import check_store
from clairemap.registration.model import NO_DISPLACEMENT
from clairemap.registration.record import registration_of
from clairemap.registration.result import NO_QUALITY, Fit
from clairemap.stages import FitStatistics, TileScene, TrainModel, stage_json
from clairemap.validity import Validity

Stage = Callable[[str], Callable[..., Any]]


def fit(stage: Stage, made_pairs: ModuleType, folder: Path, pair: Path):
    stage("fit_statistics")(
        pair=[pair],
        tiles=[pair.with_name("tiles.parquet")],
        split=["a=train"],
        statistics=folder / "statistics.json",
        splits=folder / "training_splits.parquet",
        settings=stage_json(made_pairs.settings(), FitStatistics),
    )
    return json.loads((folder / "statistics.json").read_text())


def test_nan_counts_as_nodata(stage: Stage, made_pairs: ModuleType, made_rasters: ModuleType, tmp_path: Path):
    grid, fields = made_rasters.UTM, made_rasters.Fields(made_rasters.UTM)
    optical, sar = fields.optical().astype(np.float32), fields.sar(grid)
    optical[1, 40:60], optical[0, 60:80] = np.nan, np.inf  # in one band alone
    sar[0, :, 100:140] = np.nan
    write_registration(
        tmp_path / "registration.json", registration_of("a", Fit("good", "", NO_DISPLACEMENT, NO_QUALITY), None), {}
    )
    stage("tile_scene")(
        scene="a",
        registration=tmp_path / "registration.json",
        optical=made_rasters.write_raster(tmp_path / "optical.tif", optical, grid),
        sar=made_rasters.write_raster(tmp_path / "sar.tif", sar, grid),
        label=made_rasters.write_raster(tmp_path / "label.tif", fields.label(), grid),
        pair=tmp_path / "pair.zarr",
        manifest=tmp_path / "pair.json",
        tiles=tmp_path / "tiles.parquet",
        radiometry=tmp_path / "radiometry.json",
        settings=stage_json(made_pairs.settings(), TileScene),
    )
    store = check_store(tmp_path / "pair.zarr")
    validity = store.array("validity")[...]
    gone = (validity & Validity.OPTICAL_NODATA) > 0
    assert gone[40:80].all() and not gone[:40].any() and not gone[80:].any()
    silent = (validity & Validity.SAR_NODATA) > 0
    assert silent[:, 100:140].all() and not silent[:, :90].any() and not silent[:, 150:].any()
    found = fit(stage, made_pairs, tmp_path, store.path)
    assert found["optical"]["mean"] == pytest.approx(optical[:, ~gone].mean(axis=1, dtype=np.float64), rel=1e-6)
    assert found["optical"]["p98"] == pytest.approx(np.percentile(optical[:, ~gone], 98, axis=1), rel=1e-6)
    assert all(np.isfinite(found["sar"][name]).all() for name in ("mean", "std", "p02", "p98"))
    assert found["pixels"] == (~(gone & silent)).sum()  # where one sensor is left, the pixel stays


def test_scenes_without_labels_are_an_error_and_leave_no_files(stage: Stage, made_pairs: ModuleType, tmp_path: Path):
    bare = made_pairs.make_scene(tmp_path, "a", shape=(256, 256), labelled=False)
    with pytest.raises(NoTrainingDataError, match=r"labels of the training scenes and legend\.ignore"):
        fit(stage, made_pairs, tmp_path / "model", bare.pair)
    assert not (tmp_path / "model").exists()


def test_a_class_without_training_pixels_is_named(
    stage: Stage, made_pairs: ModuleType, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    scene = made_pairs.make_scene(tmp_path, "a", shape=(256, 256))
    index = pd.read_parquet(scene.tiles)
    index["class_px"] = [[counts[0], 0, counts[2]] for counts in index["class_px"]]
    index.to_parquet(scene.tiles)
    found = fit(stage, made_pairs, tmp_path, scene.pair)
    assert found["class_px"][1] == 0 and len(found["class_px"]) == 3  # it stays in the legend
    assert "classes without training pixels cannot be learnt: fields" in caplog.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sar_scale": "digital"}, "SAR scale: statistics have digital, the pair has db"),
        ({"sar": {"bands": ["HH"]}}, r"SAR bands: statistics have \('HH',\), the pair has \('VV',\)"),
        ({"optical": {"bands": ["red", "swir"]}}, r"optical bands: statistics have \('red', 'swir'\), the pair has"),
    ],
)
def test_statistics_of_another_sensor_are_an_error(
    stage: Stage, made_pairs: ModuleType, tmp_path: Path, changed: dict[str, Any], said: str
):
    scene = made_pairs.make_scene(tmp_path, "a", shape=(256, 256))
    found = fit(stage, made_pairs, tmp_path, scene.pair)
    for key, value in changed.items():
        found[key] = found[key] | value if isinstance(value, dict) else value
    (tmp_path / "statistics.json").write_text(json.dumps(found))
    model = tmp_path / "model"
    with pytest.raises(StoreError, match=rf"pair\.zarr: does not match .*{said}"):
        stage("train_model")(
            pair=[scene.pair],
            statistics=tmp_path / "statistics.json",
            splits=tmp_path / "training_splits.parquet",
            weights=model / "model.safetensors",
            card=model / "model.json",
            history=model / "history.csv",
            checkpoints=model / "checkpoints",
            fingerprint="code",
            settings=stage_json(made_pairs.settings(), TrainModel),
            device="cpu",
        )
    assert not (model / "model.json").exists()
