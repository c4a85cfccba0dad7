"""The training data that result from the files and settings of each data set."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from clairemap.artefacts.registration import write_registration
from clairemap.raster.store import check_store
from clairemap.registration.record import registration_of
from clairemap.registration.result import as_delivered
from clairemap.scenes import read_sample_sheet
from clairemap.settings import load_settings
from clairemap.stages import TileScene, stage_json
from clairemap.validity import Validity

CONFIGS = Path(__file__).parents[3] / "config" / "datasets"
Tiled = Callable[[str, str], dict[str, NDArray[Any]]]


@pytest.fixture
def tiled(stage: Callable[[str], Callable[..., Any]], tmp_path: Path) -> Tiled:
    """Return ``tiled(dataset, split)``: the layers of a split's first scene, tiled with the data set's settings."""

    def run(dataset: str, split: str) -> dict[str, NDArray[Any]]:
        settings = load_settings(yaml.safe_load((CONFIGS / f"{dataset}.yaml").read_text()))
        stage("list_dataset")(
            dataset=dataset, folder=tmp_path / "data", sheet=tmp_path / "scenes.csv", on_missing="leave_out"
        )
        scene = next(one for one in read_sample_sheet(tmp_path / "scenes.csv", Path()) if one.split == split)
        work = tmp_path / "work"
        write_registration(work / "registration.json", registration_of("a", as_delivered(), None), {})
        paths = {
            "pair": work / "pair.zarr",
            "manifest": work / "pair.json",
            "tiles": work / "tiles.parquet",
            "radiometry": work / "radiometry.json",
        }
        stage("tile_scene")(
            scene=scene.scene, registration=work / "registration.json", settings=stage_json(settings, TileScene),
            **paths, **scene.sources,
        )  # fmt: skip
        store = check_store(paths["pair"], paths["manifest"])
        assert store.attributes["georeferenced"] is False and store.attributes["registration"] == "as_delivered"
        layers = {name: store.array(name)[:] for name in ("optical", "sar", "label", "validity")}
        assert not (layers["validity"] & Validity.LOW_REGISTRATION).any()
        return layers

    return run


def flagged(layers: dict[str, NDArray[Any]], flag: Validity) -> NDArray[np.bool_]:
    return np.asarray((layers["validity"] & flag) > 0)


def test_whu_codes_become_seven_classes(tiled: Tiled, made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.whu_opt_sar(tmp_path / "data", ["NH49E001013", "NH49E001014"])
    layers = tiled("whu_opt_sar", "test")
    assert layers["optical"].shape == (4, *made_datasets.WHU_SHAPE) and layers["optical"].dtype == np.uint8
    assert set(np.unique(layers["label"])) == {*range(7), 255}
    assert (flagged(layers, Validity.NO_LABEL) == (layers["label"] == 255)).all()
    assert not flagged(layers, Validity.OPTICAL_NODATA | Validity.SAR_NODATA).any()


def test_openearthmap_sar_black_edges_and_missing_optical_are_nodata(
    tiled: Tiled, made_datasets: ModuleType, tmp_path: Path
) -> None:
    made_datasets.openearthmap_sar(tmp_path / "data", train=1, test=2)
    layers = tiled("openearthmap_sar", "predict")
    assert layers["sar"].shape == (1, 1024, 2048)
    assert flagged(layers, Validity.OPTICAL_NODATA).all() and flagged(layers, Validity.NO_LABEL).all()
    black = np.zeros((1024, 2048), np.bool_)
    black[:, :11] = black[:, 1024 : 1024 + 12] = True
    np.testing.assert_array_equal(flagged(layers, Validity.SAR_NODATA), black)


def test_pie_background_is_a_class(tiled: Tiled, made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.pie_rgb_sar(tmp_path / "data", train=2, test=2)
    layers = tiled("pie_rgb_sar", "test")
    assert set(np.unique(layers["label"])) == set(range(6)) and (layers["validity"] == Validity.CLOUD_UNKNOWN).all()


def test_sen1floods11_nan_and_minus_one_are_nodata(tiled: Tiled, made_datasets: ModuleType, tmp_path: Path) -> None:
    made_datasets.sen1floods11(tmp_path / "data")
    layers = tiled("sen1floods11", "train")
    assert layers["optical"].shape == (13, 512, 1024) and set(np.unique(layers["label"])) == {0, 1, 255}
    gap = np.zeros((512, 1024), np.bool_)
    gap[:9] = True
    np.testing.assert_array_equal(flagged(layers, Validity.SAR_NODATA), gap)
    assert np.isnan(layers["sar"][:, :9]).all() and np.nanmax(layers["sar"]) < 0
    assert (flagged(layers, Validity.NO_LABEL) == (layers["label"] == 255)).all()


def test_dfc2020_decibels_of_type_double_and_labels_of_32_bits(
    tiled: Tiled, made_datasets: ModuleType, tmp_path: Path
) -> None:
    made_datasets.dfc2020(tmp_path / "data")
    layers = tiled("dfc2020", "test")
    assert set(np.unique(layers["label"])) == {*range(8), 255}
    assert layers["sar"].dtype == np.float32 and layers["sar"].max() < 0 and layers["optical"].dtype == np.uint16
