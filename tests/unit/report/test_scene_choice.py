import base64
import io
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image

from clairemap.artefacts.explanations import ExplainedTile, TileFacts
from clairemap.errors import StoreError
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, Layer, complete_store, create_store, open_store
from clairemap.report.budget import Budget
from clairemap.report.content import DisplaySettings, Stretch
from clairemap.report.map_frame import MapFrame
from clairemap.report.pyramid import Block
from clairemap.report.scene_choice import SCENE_PX, from_cloudy_to_clear, scene_choice
from clairemap.report.scene_layers import SceneLayers
from clairemap.report.tile_records import TileDigest, digest_of
from clairemap.settings import Settings, load_settings

SETTINGS: Settings = load_settings({})
GRID = GeoBox((160, 300), Affine(10, 0, 700_000, 0, -10, 5_300_000), "EPSG:32632")
DISPLAY = DisplaySettings(
    SETTINGS.legend, SETTINGS.sensors, Stretch((0,) * 4, (1000,) * 4), Stretch((-20, -20), (0, 0))
)
PLENTY = 10**9


def scene(folder: Path, name: str, grid: GeoBox, value: int) -> GridStore:
    layers = [
        Layer("optical", "uint16", SETTINGS.sensors.optical.names, fill=value),
        Layer("sar", "float32", SETTINGS.sensors.sar.names, fill=-10),
        Layer("label", "uint8"),
        Layer("validity", "uint8"),
    ]
    create_store(folder / f"{name}.part", grid, layers, tile_px=128, shard_tiles=2, attributes={"scene": name})
    complete_store(folder / f"{name}.part", folder / f"{name}.zarr")
    return open_store(folder / f"{name}.zarr")


def explained(scene_name: str, cloud_pct: int | None) -> TileDigest:
    facts = TileFacts(
        classes=(), confidence_pct=80, sensor="both", optical_share_pct=50, cloud_pct=cloud_pct, mapped_pct=100,
        mapped_px=9, registration="good",
    )  # fmt: skip
    tile = ExplainedTile(scene=scene_name, row=0, col=0, facts=facts, text="", source="template")
    return digest_of(tile, SETTINGS.legend)


@pytest.fixture
def stores(tmp_path: Path) -> list[GridStore]:
    """Three scenes: b covers columns 100 to 150 of a, c is alone."""
    places = {"a": GRID[0:160, 0:150], "b": GRID[0:160, 100:200], "c": GRID[0:160, 210:300]}
    return [scene(tmp_path, name, place, 300 * number) for number, (name, place) in enumerate(places.items(), 1)]


def test_the_clearest_scene_is_painted_last(stores: list[GridStore]):
    tiles = [explained("a", 50), explained("a", 30), explained("b", 10), explained("c", None)]
    assert [store.scene for store in from_cloudy_to_clear(stores, tiles)] == ["c", "a", "b"]
    assert [store.scene for store in from_cloudy_to_clear(stores, [])] == ["c", "b", "a"]


def pixels(block: Block) -> np.ndarray:
    data = base64.b64decode(block.data.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def test_only_covered_scenes_can_be_put_on_top(stores: list[GridStore]):
    layers = SceneLayers([Window.whole(GRID.shape)], GRID)
    layers.paint_scenes(stores, DISPLAY)
    assert layers.covered == {1: 160 * 50}
    choice = scene_choice(layers, stores, DISPLAY, MapFrame.of(GRID), Budget(PLENTY))
    assert list(choice.blocks) == ["a"] and choice.left_out == 0
    (block,), (sar,) = choice.blocks["a"]["optical"], choice.blocks["a"]["sar"]
    assert block.step == 1 and sar.box == block.box and block.box[0] == 0 and block.box[2] >= 150
    found = pixels(block)
    assert (found[:, :148, 3] == 255).all() and not found[:, 152:, 3].any()
    expected = 255 * 0.3**0.85
    assert abs(float(found[80, 125, 0]) - expected) < 8  # that of a, where b is on top


def test_pictures_beyond_the_budget_are_counted(stores: list[GridStore]):
    layers = SceneLayers([Window.whole(GRID.shape)], GRID)
    layers.paint_scenes(stores, DISPLAY)
    choice = scene_choice(layers, stores, DISPLAY, MapFrame.of(GRID), Budget(10))
    assert not choice.blocks and choice.left_out == 1


def test_covered_scenes_that_cannot_be_read_do_not_count_as_beyond_the_budget(
    stores: list[GridStore], monkeypatch: pytest.MonkeyPatch
):
    def unreadable(*_: object) -> None:
        raise StoreError("damaged")

    layers = SceneLayers([Window.whole(GRID.shape)], GRID)
    layers.paint_scenes(stores, DISPLAY)
    monkeypatch.setattr("clairemap.report.scene_choice.paint_scene", unreadable)
    choice = scene_choice(layers, stores, DISPLAY, MapFrame.of(GRID), Budget(PLENTY))
    assert not choice.blocks and choice.left_out == 0


def test_pictures_are_reduced(tmp_path: Path):
    grid = GeoBox((128, 4 * SCENE_PX - 100), GRID.transform, GRID.crs)
    stores = [scene(tmp_path, "a", grid, 300), scene(tmp_path, "b", grid, 600)]
    layers = SceneLayers([Window.whole(grid.shape)], grid)
    layers.paint_scenes(stores, DISPLAY)
    choice = scene_choice(layers, stores, DISPLAY, MapFrame.of(grid), Budget(PLENTY))
    (block,) = choice.blocks["a"]["optical"]
    assert block.step == 4 and block.width <= SCENE_PX and block.box[2] == grid.shape[1]
