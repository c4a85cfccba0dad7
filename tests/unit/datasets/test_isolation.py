"""A sheet is mapped exactly like its separate chips."""

from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.artefacts.registration import write_registration
from clairemap.datasets.listing import list_sheets
from clairemap.datasets.samples import Sample
from clairemap.datasets.sheets import arrange_in_sheets
from clairemap.inference.predict import Prediction, predict_scene
from clairemap.nets.bundle import Bundle, build_network
from clairemap.raster.store import GridStore, open_store
from clairemap.registration.record import registration_of
from clairemap.registration.result import as_delivered
from clairemap.scenes import read_sample_sheet
from clairemap.settings import NetworkSettings, Settings, load_settings
from clairemap.stages import TileScene, stage_json

CHIP_PX = 128
COUNT = 6
CONFIG: dict[str, Any] = {
    "legend": {
        "classes": [{"code": code, "name": f"class {code}", "color": "#102030"} for code in range(6)],
        "ignore": [],
    },
    "sensors": {
        "optical": {"bands": ["red", "green", "blue"]},
        "sar": {"bands": ["SAR"], "scale": "digital", "speckle_filter": "none"},
    },
    "tiling": {"tile_px": CHIP_PX, "shard_tiles": 2},
    "inference": {"window_px": CHIP_PX, "halo_px": 0},
}


@pytest.fixture
def chips(made_datasets: ModuleType, tmp_path: Path) -> list[Sample]:
    samples = []
    for number in range(COUNT):
        label = made_datasets.patches(number, tuple(range(6)), CHIP_PX, "uint8")
        files = {role: tmp_path / "chips" / role / f"{number}.tif" for role in ("optical", "sar", "label")}
        made_datasets.write(files["optical"], made_datasets.shown(label, 3, number))
        made_datasets.write(files["sar"], made_datasets.shown(label, 1, number))
        made_datasets.write(files["label"], label)
        samples.append(Sample(f"chip_{number}", "made", "train", files))  # type: ignore[arg-type]
    return samples


@pytest.fixture
def mapped(stage: Callable[[str], Callable[..., Any]], tmp_path: Path) -> Callable[..., tuple[GridStore, GridStore]]:
    """Return a function that tiles samples as one sheet and maps it: the pair and its probabilities."""
    torch.manual_seed(0)

    def run(name: str, samples: Iterable[Sample], **changed: Any) -> tuple[GridStore, GridStore]:  # noqa: ANN401
        settings = load_settings(CONFIG | changed)
        folder = tmp_path / name
        list_sheets(arrange_in_sheets(list(samples), CHIP_PX), folder / "scenes.csv")
        (scene,) = read_sample_sheet(folder / "scenes.csv", Path())
        write_registration(folder / "registration.json", registration_of(name, as_delivered(), None), {})
        paths = {
            "pair": folder / "pair.zarr",
            "manifest": folder / "pair.json",
            "tiles": folder / "tiles.parquet",
            "radiometry": folder / "radiometry.json",
        }
        stage("tile_scene")(
            scene=name, registration=folder / "registration.json", settings=stage_json(settings, TileScene),
            **paths, **scene.sources,
        )  # fmt: skip
        pair = open_store(paths["pair"])
        predict_scene(pair, Prediction(bundle(settings), "fused", settings.inference), folder / "map.zarr", {})
        return pair, open_store(folder / "map.zarr")

    return run


def bundle(settings: Settings) -> Bundle:
    torch.manual_seed(0)
    optical, sar = settings.sensors.optical.names, settings.sensors.sar.names
    card = ModelCard(
        stamp={}, network=NetworkSettings(), classes=settings.legend.classes,
        optical_bands=BandScale(names=optical, mean=(120.0,) * 3, std=(50.0,) * 3),
        sar_bands=BandScale(names=sar, mean=(120.0,), std=(50.0,)), sar_scale="digital",
        halo_px=256, halo_sigma=0, core_bytes_per_px=69, halo_bytes_per_px=36,
        temperature=1, trained_on=TrainedOn(scenes=("a",), pixels=1), best_step=1,
    )  # fmt: skip
    return Bundle(build_network(card).eval(), card)


def differences(sheet: GridStore, chips: list[GridStore], columns: int, layer: str) -> int:
    """Return the largest difference between the sheet's layer and those of its chips."""
    whole, largest = sheet.array(layer)[:].astype(np.int64), 0
    for number, chip in enumerate(chips):
        row, column = divmod(number, columns)
        y, x = row * CHIP_PX, column * CHIP_PX
        part = whole[..., y : y + CHIP_PX, x : x + CHIP_PX]
        largest = max(largest, int(np.abs(part - chip.array(layer)[:]).max()))
    return largest


def test_a_sheet_is_mapped_like_its_separate_chips(
    mapped: Callable[..., tuple[GridStore, GridStore]], chips: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clairemap.datasets.sheets.MAX_SHEET_PX", 3 * CHIP_PX)
    pair, whole = mapped("sheet", chips)
    alone = [mapped(chip.name, [chip]) for chip in chips]
    assert whole.shape == (2 * CHIP_PX, 3 * CHIP_PX) and len(np.unique(whole.array("probability")[:])) > 20
    for layer in ("optical", "sar", "label", "validity"):
        assert differences(pair, [made for made, _ in alone], 3, layer) == 0, layer
    for layer in ("probability", "optical_share"):
        assert differences(whole, [made for _, made in alone], 3, layer) == 0, layer
    _, haloed = mapped("haloed", chips, inference={"window_px": 3 * CHIP_PX, "halo_px": CHIP_PX})
    assert differences(haloed, [made for _, made in alone], 3, "probability") > 3  # so neighbours would have an effect
