import base64
import io
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, PngImagePlugin

from clairemap.artefacts.statistics import BandStatistics
from clairemap.errors import StoreError, UnreadableFileError
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore, Layer, create_store
from clairemap.report import pictures
from clairemap.report.content import DisplaySettings, Picture, Stretch, TilePictures
from clairemap.report.pictures import display_stretch, gradient_css, registration_picture, tile_pictures
from clairemap.settings import DEMO_CLASSES, LegendSettings, SensorsSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3])
LOOK = DisplaySettings(
    LEGEND, SensorsSettings(), Stretch((0.0,) * 4, (100.0,) * 4), Stretch((-20.0, -30.0), (0.0, -10.0))
)
UTM = Affine(10, 0, 700_000, 0, -10, 5_300_000)


def pixels(picture: Picture | None) -> NDArray[np.uint8]:
    assert picture is not None
    image = Image.open(io.BytesIO(base64.b64decode(picture.source.split(",")[1]))).convert("RGBA")
    assert image.size == (picture.width_px, picture.height_px)
    return np.asarray(image)


def test_the_stretch_follows_the_order_of_the_bands():
    statistics = BandStatistics(("red", "nir"), (5.0, 6.0), (1.0, 1.0), (1.0, 2.0), (11.0, 12.0))
    assert display_stretch(statistics, ("nir", "red"), Path("s.json")) == Stretch((2.0, 1.0), (12.0, 11.0))
    with pytest.raises(StoreError, match=r"s\.json: no statistics of the bands \['blue'\]"):
        display_stretch(statistics, ("red", "blue"), Path("s.json"))


def test_a_gradient_runs_over_the_whole_colour_map():
    stops = gradient_css("viridis").split(", ")
    assert stops[0] == "rgb(68 1 84)"
    assert len(stops) == 9


def test_a_picture_of_another_scene_is_an_error(tmp_path: Path):
    text = PngImagePlugin.PngInfo()
    text.add_text("scene", "north")
    Image.new("P", (30, 20)).save(tmp_path / "a.png", pnginfo=text)
    assert pixels(registration_picture(tmp_path / "a.png", "north")).shape == (20, 30, 4)
    with pytest.raises(UnreadableFileError, match="picture of scene 'north', expected 'south'"):
        registration_picture(tmp_path / "a.png", "south")


def test_a_damaged_picture_of_a_registration_is_named(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    Image.new("P", (30, 20)).save(tmp_path / "b.png")
    for name in ("a.png", "b.png", "absent.png"):
        with pytest.raises(UnreadableFileError, match=name):
            registration_picture(tmp_path / name, "north")


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


def stretched(tmp_path: Path, transform: Affine, crs: str | None) -> TilePictures:
    """The pictures of a tile of 60 x 40 px, class 1 but for class 2 in the first 20 rows and columns."""
    index = np.zeros((60, 40), np.uint8)
    index[:20, :20] = 1
    layers = {
        "optical": (Layer("optical", "uint16", ("red", "green", "blue", "nir")), np.full((4, 60, 40), 100)),
        "sar": (Layer("sar", "float32", ("VV", "VH")), np.full((2, 60, 40), -5.0)),
        "label": (Layer("label", "uint8"), index),
        "validity": (Layer("validity", "uint8"), np.zeros((60, 40))),
        "probability": (Layer("probability", "uint8", LEGEND.names), 200 * (np.arange(3)[:, None, None] == index)),
    }
    made = create_store(
        tmp_path / "pair.zarr", GeoBox((60, 40), transform, crs), [layer for layer, _ in layers.values()],
        tile_px=64, shard_tiles=1, attributes={},
    )  # fmt: skip
    for name, (layer, values) in layers.items():
        made.group[name][...] = values.astype(layer.dtype)  # type: ignore[index]
    return tile_pictures(made, made, Window(0, 0, 60, 40), LOOK)


def test_a_tile_in_degrees_is_as_long_and_wide_as_on_the_ground(tmp_path: Path):
    shown = stretched(tmp_path, Affine(1e-4, 0, 12, 0, -1e-4, 60), "EPSG:4326")
    for picture in (shown.optical, shown.sar, shown.landcover, shown.truth):
        assert picture is not None and picture.height_px / picture.width_px == pytest.approx(60 / 40 * 2, rel=0.02)
    assert tuple(pixels(shown.landcover)[10, 5, :3]) == LEGEND.classes[1].rgb
    assert shown.north_text == ""


def test_a_tile_whose_first_row_is_the_southernmost_is_shown_north_up(tmp_path: Path):
    shown = stretched(tmp_path, Affine(10, 0, 5e5, 0, 10, 5.3e6), "EPSG:32633")
    corner = LEGEND.classes[1].rgb
    assert tuple(pixels(shown.landcover)[-5, 5, :3]) == tuple(pixels(shown.truth)[-5, 5, :3]) == corner
    assert tuple(pixels(shown.landcover)[5, 5, :3]) != corner
    assert shown.north_text == ""


def test_a_rotated_tile_has_the_direction_of_north(tmp_path: Path):
    shown = stretched(tmp_path, Affine(8, 6, 5e5, 6, -8, 5.3e6), "EPSG:32633")
    assert shown.north_text == "north is rotated 37° clockwise"


def test_a_tile_without_a_crs_is_not_rotated(tmp_path: Path):
    shown = stretched(tmp_path, Affine(1, 0, 0, 0, 1, 0), None)
    assert (shown.landcover.height_px, shown.landcover.width_px) == (60, 40)
    assert tuple(pixels(shown.landcover)[5, 5, :3]) == LEGEND.classes[1].rgb
