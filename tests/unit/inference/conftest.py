"""Small pairs, a stub of a trained network and probability stores, made by code."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from torch import Tensor, nn
from torch.nn import functional

from clairemap.artefacts.model_card import BandScale, ModelCard, TrainedOn
from clairemap.classes import LandCoverClass
from clairemap.grid.window import Window
from clairemap.inference.probabilities import OPTICAL_SHARE, PROBABILITY, create_probabilities
from clairemap.nets.bundle import Bundle
from clairemap.nets.claire import CellOutput
from clairemap.nets.image import Image
from clairemap.nets.stage_windows import cells_between
from clairemap.raster.store import GridStore, Layer, create_store, open_store
from clairemap.settings import NetworkSettings

CLASSES = tuple(LandCoverClass(code=10 * i + 5, name=f"class {i}") for i in range(1, 5))
UTM = "EPSG:32633"


class LocalNetwork(nn.Module):
    """Logits of cells from the 25 cells of 4 px around: a network with strides that reaches 54 px."""

    stride = 4

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.kernel = torch.randn(len(CLASSES), 5, 25, 25, generator=generator) / 25

    def cells(self, optical: Image, sar: Image, core: Window) -> CellOutput:
        logits, share = self.everywhere(*(image.rows(slice(None)) for image in (optical, sar)))
        window = cells_between(core, tuple(optical.weight.shape[-2:]), self.stride)
        return CellOutput(logits[..., *window.slices], share[..., *window.slices], window)

    def everywhere(self, optical: Image, sar: Image) -> tuple[Tensor, Tensor]:
        optical_weight, sar_weight = optical.weight, sar.weight
        bands = torch.cat([optical.masked(), sar.masked(), optical_weight, sar_weight], dim=1)
        cells = functional.avg_pool2d(bands, 4)
        logits = functional.conv2d(cells, self.kernel, padding=12)
        both = functional.avg_pool2d(optical_weight, 4) + functional.avg_pool2d(sar_weight, 4)
        share = functional.avg_pool2d(optical_weight, 4) / both.clamp(min=1e-6) * 0.6
        return logits * 3, share

    def forward(
        self, optical: Tensor, sar: Tensor, optical_weight: Tensor, sar_weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits, share = self.everywhere(Image(optical, optical_weight), Image(sar, sar_weight))
        return functional.interpolate(logits, scale_factor=4, mode="bilinear"), share


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        stamp={},
        network=NetworkSettings(),
        classes=CLASSES,
        optical_bands=BandScale(names=("red", "nir"), mean=(1000, 2000), std=(300, 400)),
        sar_bands=BandScale(names=("VV",), mean=(-12,), std=(3,)),
        sar_scale="db",
        halo_px=128,
        halo_sigma=0,
        core_bytes_per_px=69,
        halo_bytes_per_px=36,
        temperature=1.5,
        trained_on=TrainedOn(scenes=("a",), pixels=1),
        best_step=1,
    )


@pytest.fixture
def bundle(card: ModelCard) -> Bundle:
    return Bundle(LocalNetwork(), card)  # type: ignore[arg-type]


def grid(shape: tuple[int, int], x: float = 500_000, y: float = 5_000_000, crs: str | None = UTM) -> GeoBox:
    return GeoBox(shape, Affine(10, 0, x, 0, -10, y), crs)


@pytest.fixture
def make_pair(tmp_path: Path) -> Callable[..., GridStore]:
    """Return ``make_pair(shape, flags=None, seed=0)``: a pair of random bands; `flags` are its validity."""

    def make(shape: tuple[int, int], flags: NDArray[np.uint8] | None = None, **attributes: str | bool) -> GridStore:
        rng = np.random.default_rng(0)
        layers = [
            Layer("optical", "uint16", ("red", "nir")),
            Layer("sar", "float32", ("VV",), fill=float("nan")),
            Layer("validity", "uint8"),
        ]
        facts = {
            "scene": "a",
            "sar_scale": "db",
            "registration": "good",
            "sources": {},
            "georeferenced": True,
        } | attributes
        path = tmp_path / f"pair{len(list(tmp_path.iterdir()))}.zarr"
        store = create_store(path, grid(shape), layers, tile_px=128, shard_tiles=2, attributes=facts)
        validity = np.zeros(shape, np.uint8) if flags is None else flags
        coarse = rng.normal(size=(3, shape[0] // 8 + 1, shape[1] // 8 + 1)).repeat(8, 1).repeat(8, 2)
        bands = (coarse + rng.normal(size=coarse.shape) / 3)[:, : shape[0], : shape[1]]
        for window in store.shards():
            red, nir, vv = bands[:, *window.slices]
            store.write("optical", window, np.stack([1000 + 300 * red, 2000 + 400 * nir]).clip(0).astype(np.uint16))
            sar = np.where(validity[window.slices] & 2, np.nan, -12 + 3 * vv)
            store.write("sar", window, sar[None].astype(np.float32))
            store.write("validity", window, validity[window.slices])
        return open_store(path)

    return make


@pytest.fixture
def make_probabilities(tmp_path: Path) -> Callable[..., GridStore]:
    """Return ``make(geobox, probability, share)``: a store with these arrays; nodata where share is 255."""

    def make(geobox: GeoBox, probability: NDArray[np.uint8], share: NDArray[np.uint8]) -> GridStore:
        names: Sequence[str] = [f"class {i}" for i in range(len(probability))]
        path = tmp_path / f"probabilities{len(list(tmp_path.iterdir()))}.zarr"
        store = create_probabilities(path, geobox, names, tile_px=128, shard_tiles=2, attributes={})
        for window in store.shards():
            store.write(PROBABILITY, window, probability[:, *window.slices])
            store.write(OPTICAL_SHARE, window, share[window.slices])
        return open_store(path)

    return make


@pytest.fixture
def grid_at() -> Callable[..., GeoBox]:
    """Return ``grid_at(shape, x, y, crs)``: a grid of 10 m pixels."""
    return grid
