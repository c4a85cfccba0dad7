import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, ImageColor, PngImagePlugin

from clairemap.errors import UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, Layer, create_store
from clairemap.report import pictures
from clairemap.report.content import Look, MapPaths, Picture, Stretch
from clairemap.report.pictures import gradient_css, map_panel, registration_picture, tile_pictures
from clairemap.report.style import COUNT_KEY
from clairemap.settings import DEMO_CLASSES, LegendSettings, SensorsSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3]).legend()
LOOK = Look(LEGEND, SensorsSettings(), Stretch((0.0,) * 4, (100.0,) * 4), Stretch((-20.0, -30.0), (0.0, -10.0)))
UTM = Affine(10, 0, 700_000, 0, -10, 5_300_000)


def pixels(picture: Picture | None) -> NDArray[np.uint8]:
    assert picture is not None
    image = Image.open(io.BytesIO(base64.b64decode(picture.source.split(",")[1]))).convert("RGBA")
    assert image.size == (picture.width_px, picture.height_px)
    return np.asarray(image)


def write(path: Path, values: NDArray[np.uint8], crs: str | None = "EPSG:32632") -> Path:
    height, width = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", crs=crs, transform=UTM, **profile) as raster:
        raster.write(values, 1)
    return path


def maps(folder: Path, codes: NDArray[np.uint8], crs: str | None = "EPSG:32632") -> MapPaths:
    percent = np.where(codes == 255, 255, 50).astype(np.uint8)
    values = {"landcover": codes, "confidence": percent, "optical_share": percent, "source_count": codes}
    return MapPaths("vale", *(write(folder / f"{name}.tif", layer, crs) for name, layer in values.items()))


def test_a_map_has_the_legends_colours_and_is_transparent_outside(tmp_path: Path):
    codes = np.full((60, 100), 2, np.uint8)
    codes[:30] = 1
    codes[:, :20] = 255
    panel = map_panel(maps(tmp_path, codes), LOOK)
    shown = pixels(panel.landcover)
    assert shown.shape == (60, 100, 4)
    assert tuple(shown[10, 50]) == (*LEGEND.classes[0].rgb, 255)
    assert tuple(shown[50, 50]) == (*LEGEND.classes[1].rgb, 255)
    assert shown[10, 5, 3] == 0
    assert pixels(panel.confidence)[10, 5, 3] == 0
    assert pixels(panel.confidence)[10, 50, 3] == 255


def test_numbers_of_scenes_have_the_colours_of_the_key(tmp_path: Path):
    numbers = np.array([[1, 2, 3], [4, 200, 255]], np.uint8).repeat(10, 0).repeat(10, 1)
    shown = pixels(map_panel(maps(tmp_path, numbers), LOOK).source_count)[::10, ::10]
    key = [ImageColor.getrgb(color) for color, _ in COUNT_KEY]
    assert [tuple(pixel[:3]) for pixel in shown.reshape(-1, 4)[:5]] == [*key, key[-1]]
    assert shown[..., 3].tolist() == [[255, 255, 255], [255, 255, 0]]


def test_a_large_map_is_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "MAP_PX", 40)
    panel = map_panel(maps(tmp_path, np.ones((80, 160), np.uint8)), LOOK)
    assert (panel.landcover.height_px, panel.landcover.width_px) == (20, 40)


def test_the_bar_is_as_long_as_it_says(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((50, 1000), np.uint8)), LOOK)  # 10 km wide
    assert panel.bar_text == "2 km"
    assert panel.bar_percent == pytest.approx(20)
    assert "1\u202f000 pixels wide and 50 high, about 10.0 × 0.5 km, EPSG:32632" in panel.size_text


def test_without_a_crs_there_is_no_bar(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((20, 30), np.uint8), crs=None), LOOK)
    assert panel.bar_text is None
    assert panel.size_text == "30 pixels wide and 20 high, not georeferenced"


def test_a_damaged_map_is_named(tmp_path: Path):
    files = maps(tmp_path, np.ones((20, 30), np.uint8))
    files.landcover.write_bytes(b"no raster")
    with pytest.raises(UnreadableFileError, match=r"landcover\.tif"):
        map_panel(files, LOOK)


@pytest.mark.parametrize(
    ("crs", "said"), [("EPSG:32632", "north is up$"), ("EPSG:3413", r"up is \d+° (east|west) of north at its middle$")]
)
def test_the_text_says_where_up_is(tmp_path: Path, crs: str, said: str):
    panel = map_panel(maps(tmp_path, np.ones((20, 30), np.uint8), crs), LOOK)
    assert re.search(said, panel.size_text)


def test_a_gradient_runs_over_the_whole_colour_map():
    stops = gradient_css("viridis").split(", ")
    assert stops[0] == "rgb(68 1 84)"
    assert len(stops) == 9


def test_a_picture_of_a_registration_knows_its_scene(tmp_path: Path):
    text = PngImagePlugin.PngInfo()
    text.add_text("scene", "north")
    Image.new("P", (30, 20)).save(tmp_path / "a.png", pnginfo=text)
    scene, picture = registration_picture(tmp_path / "a.png")
    assert scene == "north"
    assert pixels(picture).shape == (20, 30, 4)


def test_a_damaged_picture_of_a_registration_is_named(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    Image.new("P", (30, 20)).save(tmp_path / "b.png")
    for name in ("a.png", "b.png", "absent.png"):
        with pytest.raises(UnreadableFileError, match=name):
            registration_picture(tmp_path / name)


@pytest.fixture
def stores(tmp_path: Path) -> tuple[GridStore, GridStore]:
    """Return a pair of 64 × 96 pixels (left third without SAR, upper quarter without optical) and its map."""
    geobox = GeoBox((64, 96), UTM, "EPSG:32632")
    validity = np.zeros((64, 96), np.uint8)
    validity[:16] |= 1
    validity[:, :32] |= 2
    layers = {
        "optical": (Layer("optical", "uint16", ("red", "green", "blue", "nir")), np.full((4, 64, 96), 100)),
        "sar": (Layer("sar", "float32", ("VV", "VH")), np.where(validity & 2, np.nan, 0.0)[None].repeat(2, 0)),
        "label": (Layer("label", "uint8"), np.where(np.arange(96) < 48, 255, 1)[None].repeat(64, 0)),
        "validity": (Layer("validity", "uint8"), validity),
        "probability": (
            Layer("probability", "uint8", LEGEND.names),
            np.array([0, 200, 55])[:, None, None] * (validity < 3),
        ),
    }
    made = create_store(
        tmp_path / "both.zarr",
        geobox,
        [layer for layer, _ in layers.values()],
        tile_px=64,
        shard_tiles=1,
        attributes={},
    )
    for name, (layer, values) in layers.items():
        made.group[name][...] = values.astype(layer.dtype)  # type: ignore[index]
    return made, made


def test_a_tile_shows_both_sensors_map_and_labels(stores: tuple[GridStore, GridStore]):
    shown = tile_pictures(*stores, Window(0, 0, 64, 96), LOOK)
    grey = np.array([236, 236, 232])
    optical, sar, mapped, truth = (pixels(p)[..., :3] for p in (shown.optical, shown.sar, shown.landcover, shown.truth))
    assert np.abs(optical[4, 48].astype(int) - grey).max() < 6
    assert optical[40, 48].min() > 245
    assert np.abs(sar[40, 8].astype(int) - grey).max() < 6
    assert np.array_equal(mapped[4, 8], grey)
    assert tuple(mapped[40, 60]) == LEGEND.classes[1].rgb
    assert np.array_equal(truth[40, 8], grey)
    assert tuple(truth[40, 60]) == LEGEND.classes[1].rgb


def test_a_tile_without_a_sensor_or_labels_has_no_such_picture(stores: tuple[GridStore, GridStore]):
    shown = tile_pictures(*stores, Window(0, 0, 16, 32), LOOK)
    assert (shown.optical, shown.sar, shown.truth) == (None, None, None)


def test_a_large_tile_is_reduced(stores: tuple[GridStore, GridStore], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pictures, "TILE_PX", 30)
    shown = tile_pictures(*stores, Window(0, 0, 64, 96), LOOK)
    assert shown.optical is not None
    assert (shown.optical.width_px, shown.landcover.width_px) == (24, 24)
