from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX, LandCoverClass, Legend
from clairemap.errors import StoreError
from clairemap.inference.grid import footprint
from clairemap.metrics.label_ground import LEARNT, TEST, LabelledScene
from clairemap.metrics.map_counts import BLOCK_PX, TILE_PX, MapCounts, map_counts, summed
from clairemap.raster.source import RasterSource
from clairemap.raster.store import Layer, complete_store, create_store, open_store

LEGEND = Legend(classes=tuple(LandCoverClass(code=code, name=f"c{code}") for code in (10, 20, 30)))
GRID = GeoBox((700, 1100), Affine(10, 0, 500_000, 0, -10, 4_000_000), "EPSG:32633")


@pytest.fixture(scope="module")
def codes() -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    patches = rng.choice(np.array([10, 20, 30, 255], np.uint8), (70, 110), p=(0.4, 0.4, 0.15, 0.05))
    return np.kron(patches, np.ones((10, 10), np.uint8))


@pytest.fixture(scope="module")
def landcover(tmp_path_factory: pytest.TempPathFactory, codes: NDArray[np.uint8]) -> Path:
    path = tmp_path_factory.mktemp("map") / "valley.landcover.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=700, width=1100, count=1, dtype="uint8", nodata=255,
        crs="EPSG:32633", transform=GRID.transform, tiled=True, blockxsize=256, blockysize=256,
    ) as file:  # fmt: skip
        file.write(codes, 1)
    return path


def scene(folder: Path, name: str, labels: NDArray[np.uint8], y0: int, x0: int, role: int = TEST) -> LabelledScene:
    geobox = GeoBox(labels.shape, GRID.transform @ Affine.translation(x0, y0), GRID.crs)
    layers = [Layer("label", "uint8", fill=IGNORE_INDEX)]
    store = create_store(folder / "part", geobox, layers, tile_px=TILE_PX, shard_tiles=8, attributes={"scene": name})
    for window in store.shards():
        store.write("label", window, labels[window.slices])
    complete_store(folder / "part", folder / f"{name}.zarr")
    tiles = tuple(-(-side // TILE_PX) for side in labels.shape)
    return LabelledScene(
        open_store(folder / f"{name}.zarr"), GRID, footprint(geobox, GRID), np.full(tiles, role, np.uint8)
    )


def counted(landcover: Path, scenes: list[LabelledScene]) -> MapCounts:
    with RasterSource(landcover) as source:
        return map_counts(source, scenes, LEGEND, 1)


def test_counts_equal_those_of_the_whole_map(tmp_path: Path, landcover: Path, codes: NDArray[np.uint8]):
    labels = np.random.default_rng(1).integers(0, 3, (600, 1000), dtype=np.uint8)
    labels[:40] = IGNORE_INDEX
    found = counted(landcover, [scene(tmp_path, "a", labels, 50, 60)])
    mapped = codes[50:650, 60:1060]
    expected = [[np.count_nonzero((labels == t) & (mapped == code)) for code in (10, 20, 30)] for t in range(3)]
    assert found.counts.confusion.tolist() == expected
    assert found.counts.unmapped_px == np.count_nonzero((labels != IGNORE_INDEX) & (mapped == 255))
    assert found.counts.tiles == 3 * 5
    matrix = found.counts.confusion
    sums = np.stack([np.diagonal(matrix), matrix.sum(1), matrix.sum(0)])
    np.testing.assert_array_equal(found.blocks.counts.sum(0), sums)
    assert len(found.blocks) == 2 * 3 and BLOCK_PX == 512  # rows from 50 to 649, columns from 60 to 1059


def test_shared_ground_counts_once_and_training_ground_not_at_all(tmp_path: Path, landcover: Path):
    alike = np.zeros((100, 100), np.uint8)
    a, b = (scene(tmp_path, name, alike, 0, x0) for name, x0 in (("a", 0), ("b", 60)))
    learnt = scene(tmp_path, "l", np.full((30, 200), 2, np.uint8), 0, 0, LEARNT)
    labelled = [
        int(found.counts.confusion.sum()) + found.counts.unmapped_px
        for found in (counted(landcover, chosen) for chosen in ([a], [a, b], [a, b, learnt], [learnt, b, a], [learnt]))
    ]
    assert labelled == [100 * 100, 100 * 160, 70 * 160, 70 * 160, 0]
    found = counted(landcover, [a, b, learnt])
    assert (found.training_px, found.shared_px, found.disagreeing_px) == (30 * 160, 70 * 40, 0)


def test_maps_are_summed_with_their_blocks(tmp_path: Path, landcover: Path):
    one = counted(landcover, [scene(tmp_path, "a", np.zeros((100, 100), np.uint8), 0, 0)])
    both = summed([one, one], 3)
    assert len(both.blocks) == 2 * len(one.blocks) == 2
    assert both.counts.confusion.sum() == 2 * one.counts.confusion.sum()


def test_a_code_that_is_no_class_is_an_error(tmp_path: Path, landcover: Path):
    fewer = Legend(classes=LEGEND.classes[:2])
    labelled = scene(tmp_path, "a", np.zeros((100, 100), np.uint8), 0, 0)
    with RasterSource(landcover) as source, pytest.raises(StoreError, match="another legend"):
        map_counts(source, [labelled], fewer, 1)
