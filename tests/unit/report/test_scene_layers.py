from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, Layer, complete_store, create_store, open_store
from clairemap.report.content import DisplaySettings, Stretch
from clairemap.report.scene_layers import SceneLayers, _middles
from clairemap.settings import Settings, load_settings
from clairemap.validity import Validity

SETTINGS: Settings = load_settings({})
GRID = GeoBox((200, 300), Affine(10, 0, 700_000, 0, -10, 5_300_000), "EPSG:32632")
WHOLE = Window(0, 0, 200, 300)
DISPLAY = DisplaySettings(
    SETTINGS.legend, SETTINGS.sensors, Stretch((0,) * 4, (1000,) * 4), Stretch((-20, -20), (0, 0))
)


def scene(folder: Path, grid: GeoBox) -> GridStore:
    layers = [
        Layer("optical", "uint16", SETTINGS.sensors.optical.names, fill=1000),
        Layer("sar", "float32", SETTINGS.sensors.sar.names, fill=-20),
        Layer("label", "uint8"),
        Layer("validity", "uint8", fill=Validity.SAR_NODATA),
    ]
    part = create_store(folder / "part", grid, layers, tile_px=128, shard_tiles=2, attributes={"scene": "north"})
    rows, columns = np.indices(grid.shape)
    for shard in part.shards():
        part.write("label", shard, ((rows // 30 + columns // 40) % 5).astype(np.uint8)[shard.slices])
    complete_store(folder / "part", folder / "pair.zarr")
    return open_store(folder / "pair.zarr")


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:3857"])
def test_labels_are_at_their_place_on_the_map(tmp_path: Path, crs: str):
    own = GRID[40:180, 60:260]
    store = scene(tmp_path, own if crs == "EPSG:32632" else own.to_crs(crs))
    layers = SceneLayers([WHOLE], GRID)
    assert layers.paint_scenes([store], DISPLAY) == ()
    optical, sar, labels, errors = layers.sources(lambda window, _: np.full(window.shape, 3, np.uint8))
    found = labels.read(WHOLE, 1)
    assert (found[:20] == 255).all() and (found[60:160, 80:240] != 255).all()
    if crs == "EPSG:32632":
        rows, columns = np.indices((140, 200))
        assert np.array_equal(found[40:180, 60:260], (rows // 30 + columns // 40) % 5)
    wrong = errors.read(WHOLE, 1)
    assert np.array_equal(wrong == 0, found == 3) and np.array_equal(wrong == 255, found == 255)
    assert (optical.read(WHOLE, 1)[found != 255] == 255).all() and not sar.read(WHOLE, 1).any()


def test_coarser_pictures_take_every_second_pixel(tmp_path: Path):
    layers = SceneLayers([WHOLE], GRID)
    layers.paint_scenes([scene(tmp_path, GRID)], DISPLAY)
    labels = layers.sources(lambda *_: np.zeros((1, 1), np.uint8))[2]
    part = Window(64, 32, 100, 200)
    assert np.array_equal(labels.read(part, 2), labels.read(part, 1)[1::2, 1::2])


def test_a_damaged_scene_is_named(tmp_path: Path):
    store = scene(tmp_path, GRID)
    for file in (tmp_path / "pair.zarr" / "label").rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            file.write_bytes(b"broken")
    assert SceneLayers([WHOLE], GRID).paint_scenes([store], DISPLAY) == ("north",)


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_reduced_layers_have_a_cell_for_each_part_of_a_block(factor: int):
    for size in range(1, 40):
        middles = _middles(size, factor)
        assert (middles // factor).tolist() == list(range(-(-size // factor)))
        assert middles.max() < size
