import base64
import io
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, ImageColor
from pyproj import Geod

from clairemap.errors import UnreadableFileError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.raster.cog import CogWriter, MapLayer
from clairemap.report import map_panel as module
from clairemap.report.content import DisplaySettings, Picture, Stretch
from clairemap.report.map_panel import map_panel
from clairemap.report.style import COUNT_KEY
from clairemap.settings import DEMO_CLASSES, LegendSettings, SensorsSettings

LEGEND = LegendSettings(classes=DEMO_CLASSES[:3])
LOOK = DisplaySettings(
    LEGEND, SensorsSettings(), Stretch((0.0,) * 4, (100.0,) * 4), Stretch((-20.0, -30.0), (0.0, -10.0))
)
UTM = Affine(10, 0, 700_000, 0, -10, 5_300_000)
RED, GREEN = (classes.rgb for classes in LEGEND.classes[:2])


def pixels(picture: Picture) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(base64.b64decode(picture.source.split(",")[1]))).convert("RGBA")
    assert image.size == (picture.width_px, picture.height_px)
    return np.asarray(image)


def write(path: Path, values: NDArray[np.uint8], crs: str | None, transform: Affine) -> Path:
    height, width = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as raster:
        raster.write(values, 1)
    return path


def maps(folder: Path, codes: NDArray[np.uint8], crs: str | None = "EPSG:32632", transform: Affine = UTM) -> MapFiles:
    percent = np.where(codes == 255, 255, 50).astype(np.uint8)
    values = {"landcover": codes, "confidence": percent, "optical_share": percent, "source_count": codes}
    for name, layer in values.items():
        write(folder / f"vale.{name}.tif", layer, crs, transform)
    return MapFiles(folder / "vale")


def sparse_maps(folder: Path, shape: tuple[int, int], spots: dict[Window, int], transform: Affine = UTM) -> MapFiles:
    grid = GeoBox(shape, transform, "EPSG:32632")
    for name in ("landcover", "confidence", "optical_share", "source_count"):
        with CogWriter(folder / f"vale.{name}.tif", grid, MapLayer(name, "mode")) as writer:
            for window, value in spots.items():
                writer.write(window, np.full(window.shape, value, np.uint8))
    return MapFiles(folder / "vale")


def test_a_map_has_the_legends_colours_and_is_transparent_outside(tmp_path: Path):
    codes = np.full((60, 100), 2, np.uint8)
    codes[:30] = 1
    codes[:, :20] = 255
    (part,) = map_panel(maps(tmp_path, codes), LOOK).sections
    shown = pixels(part.landcover)
    assert shown.shape == (60, 100, 4)
    assert tuple(shown[10, 50]) == (*RED, 255)
    assert tuple(shown[50, 50]) == (*GREEN, 255)
    assert shown[10, 5, 3] == 0
    assert pixels(part.confidence)[10, 5, 3] == 0
    assert pixels(part.confidence)[10, 50, 3] == 255


def test_numbers_of_scenes_have_the_colours_of_the_key(tmp_path: Path):
    numbers = np.array([[1, 2, 3], [4, 200, 255]], np.uint8).repeat(10, 0).repeat(10, 1)
    shown = pixels(map_panel(maps(tmp_path, numbers), LOOK).sections[0].source_count)[::10, ::10]
    key = [ImageColor.getrgb(color) for color, _ in COUNT_KEY]
    assert [tuple(pixel[:3]) for pixel in shown.reshape(-1, 4)[:5]] == [*key, key[-1]]
    assert shown[..., 3].tolist() == [[255, 255, 255], [255, 255, 0]]


def test_a_large_map_is_reduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAP_PX", 40)
    (part,) = map_panel(maps(tmp_path, np.ones((80, 160), np.uint8)), LOOK).sections
    assert (part.landcover.height_px, part.landcover.width_px) == (20, 40)


def test_the_scale_bar_has_its_length(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((50, 1000), np.uint8)), LOOK)  # 10 km wide
    assert panel.sections[0].bar_text == "2 km"
    assert panel.sections[0].bar_percent == pytest.approx(20, rel=1e-3)
    assert "1\u202f000 pixels wide and 50 high, about 10.0 × 0.5 km, EPSG:32632" in panel.size_text


def test_without_a_crs_there_is_no_bar(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((20, 30), np.uint8), crs=None), LOOK)
    assert panel.sections[0].bar_text is None and panel.sections[0].north_deg is None
    assert panel.size_text == "30 pixels wide and 20 high, not georeferenced"


def test_a_damaged_map_is_named(tmp_path: Path):
    files = maps(tmp_path, np.ones((20, 30), np.uint8))
    files.landcover.write_bytes(b"no raster")
    with pytest.raises(UnreadableFileError, match=r"landcover\.tif"):
        map_panel(files, LOOK)
    files = maps(tmp_path, np.ones((20, 30), np.uint8))
    files.optical_share.write_bytes(b"no raster")
    with pytest.raises(UnreadableFileError, match=r"optical_share\.tif"):
        map_panel(files, LOOK)


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(1e-4, 0, 12, 0, -1e-4, 60)),
        ("EPSG:4326", Affine(1e-4, 0, 190, 0, -3e-4, -40)),
        ("EPSG:32633", Affine(10, 0, 5e5, 0, -20, 5.7e6)),
        ("EPSG:3857", Affine(20, 0, 1.7e6, 0, -20, 8.4e6)),
        ("EPSG:2263", Affine(33, 0, 9.8e5, 0, -33, 2e5)),
    ],
)
def test_lengths_in_the_picture_are_as_on_the_ground(tmp_path: Path, crs: str, transform: Affine):
    shape = (200, 300)
    (part,) = map_panel(maps(tmp_path, np.ones(shape, np.uint8), crs, transform), LOOK).sections
    high_m, wide_m = ground_m(GeoBox(shape, transform, crs))
    for picture in (part.landcover, part.confidence):
        assert picture.height_px / picture.width_px == pytest.approx(high_m / wide_m, rel=0.01)
    assert part.landcover.height_px >= 200 and part.landcover.width_px >= 300
    assert part.bar_text is not None
    number, unit = part.bar_text.split()
    bar_m = float(number) * {"km": 1000, "m": 1}[unit]
    assert part.bar_percent / 100 * wide_m == pytest.approx(bar_m, rel=0.01)


def ground_m(grid: GeoBox) -> tuple[float, float]:
    """Height and width of a grid, measured through its middle on the ellipsoid."""
    height, width = grid.shape
    ends = [(width / 2, 0), (width / 2, height), (0, height / 2), (width, height / 2)]
    to_degrees = grid.crs.transformer_to_crs("EPSG:4326")
    a, b, c, d, e, f = grid.transform[:6]
    lon, lat = to_degrees([a * x + b * y + c for x, y in ends], [d * x + e * y + f for x, y in ends])
    geod = Geod(ellps="WGS84")
    return geod.inv(lon[0], lat[0], lon[1], lat[1])[2], geod.inv(lon[2], lat[2], lon[3], lat[3])[2]


def test_a_map_whose_first_row_is_the_southernmost_is_shown_north_up(tmp_path: Path):
    codes = np.ones((60, 100), np.uint8)
    codes[:10, :20] = 2  # in the south-west
    panel = map_panel(maps(tmp_path, codes, "EPSG:32633", Affine(10, 0, 5e5, 0, 10, 5.3e6)), LOOK)
    shown = pixels(panel.sections[0].landcover)
    assert tuple(shown[-5, 5, :3]) == GREEN and tuple(shown[5, 5, :3]) == RED and tuple(shown[-5, -5, :3]) == RED
    assert "north is up" in panel.size_text and "mirrored" in panel.size_text


def test_a_rotated_map_is_shown_with_north_near_up_and_an_arrow(tmp_path: Path):
    turn = math.radians(140)  # rows run so that the file's up is 140 degrees from north
    transform = Affine.translation(5e5, 5.3e6) @ Affine(
        10 * math.cos(turn), 10 * math.sin(turn), 0, 10 * math.sin(turn), -10 * math.cos(turn), 0
    )
    codes = np.ones((60, 100), np.uint8)
    codes[:20, :20] = 2
    panel = map_panel(maps(tmp_path, codes, "EPSG:32633", transform), LOOK)
    (part,) = panel.sections
    shown = pixels(part.landcover)
    corner = [tuple(shown[y, x, :3]) == GREEN for y, x in ((5, 5), (5, -5), (-5, 5), (-5, -5))]
    assert corner.count(True) == 1
    assert part.north_deg is not None and abs(part.north_deg) <= 45
    assert f"north is rotated {abs(part.north_deg):.0f}° " in panel.size_text
    # The arrow gives the direction of the marked corner on the ground.
    a, b, c, d, e, f = transform[:6]
    middle = np.array([a * 50 + b * 30 + c, d * 50 + e * 30 + f])
    east, north = np.array([a * 10 + b * 10 + c, d * 10 + e * 10 + f]) - middle
    bearing = math.degrees(math.atan2(east, north))
    y, x = np.argwhere((shown[..., :3] == GREEN).all(axis=-1)).mean(axis=0) - (shown.shape[0] / 2, shown.shape[1] / 2)
    assert (math.degrees(math.atan2(x, -y)) - bearing - part.north_deg + 180) % 360 - 180 == pytest.approx(0, abs=2)


def test_far_from_its_meridian_north_is_not_up(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((60, 100), np.uint8)), LOOK)
    convergence = math.degrees(math.atan(math.tan(math.radians(11.675 - 9)) * math.sin(math.radians(47.82))))
    assert panel.sections[0].north_deg == pytest.approx(-convergence, abs=0.06)
    assert panel.size_text.endswith("EPSG:32632, north is rotated 2.0° anticlockwise")


def test_on_its_meridian_north_is_up(tmp_path: Path):
    panel = map_panel(maps(tmp_path, np.ones((60, 100), np.uint8), transform=Affine(10, 0, 5e5, 0, -10, 5.3e6)), LOOK)
    assert panel.size_text.endswith("north is up") and panel.sections[0].north_deg is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (2, 700), (3000, 1)])
def test_a_sliver_has_a_picture_that_fits_the_page(tmp_path: Path, shape: tuple[int, int]):
    panel = map_panel(maps(tmp_path, np.ones(shape, np.uint8)), LOOK)
    (part,) = panel.sections
    for picture in (part.landcover, part.source_count):
        sides = picture.height_px, picture.width_px
        assert max(sides) / min(sides) <= 52 and max(sides) <= 1200
    shown_high = part.across_percent / 100 * part.landcover.height_px / part.landcover.width_px
    assert shown_high <= 1.26
    assert 0 < part.bar_percent <= 25 and part.bar_text is not None
    thick = {(1, 700): "14 times too high", (700, 1): "14 times too wide", (2, 700): "7 times too high"}
    assert thick.get(shape, "") in panel.size_text
    assert ("drawn" in panel.size_text) == (max(shape) / min(shape) > 50)


def test_parts_far_apart_are_shown_each_with_a_key(tmp_path: Path):
    spots = {Window(0, 0, 400, 300): 1, Window(29_500, 39_600, 500, 400): 2}
    panel = map_panel(sparse_maps(tmp_path, (30_000, 40_000), spots), LOOK)
    assert panel.far_apart and panel.sections_in_map == 2 and "40\u202f000 pixels wide" in panel.size_text
    first, second = panel.sections
    for part, color, window in ((first, RED, (400, 300)), (second, GREEN, (500, 400))):
        shown = pixels(part.landcover)
        held = shown[..., 3] == 255
        assert held.mean() > 0.8 and (shown[held][:, :3] == color).all()
        assert abs(held.sum() - window[0] * window[1]) < 0.02 * held.sum()
    assert "rows 0 to 407, columns 0 to 307" in first.size_text
    assert panel.key is not None
    drawing = ElementTree.fromstring(base64.b64decode(panel.key.source.split(",")[1]))
    rects = [{k: float(r.get(k, 0)) for k in ("x", "y", "width", "height")} for r in drawing.findall(".//{*}rect")]
    assert len(rects) == 3 and rects[1]["x"] < rects[2]["x"] and rects[1]["y"] < rects[2]["y"]
    assert [text.text for text in drawing.findall(".//{*}text")] == ["1", "2"]


def test_the_only_part_of_an_empty_map_is_framed(tmp_path: Path):
    panel = map_panel(sparse_maps(tmp_path, (8000, 9000), {Window(3000, 4000, 256, 3): 1}), LOOK)
    assert not panel.far_apart and panel.sections_in_map == 1 and panel.key is not None
    assert (pixels(panel.sections[0].landcover)[..., 3] == 255).any()
    assert panel.sections[0].size_text.startswith("rows 2\u202f995 to 3\u202f260, columns 3\u202f995 to 4\u202f007")


def test_a_map_without_any_data_is_shown_whole(tmp_path: Path):
    panel = map_panel(sparse_maps(tmp_path, (2000, 3000), {}), LOOK)
    assert len(panel.sections) == 1 and panel.key is None
    assert not pixels(panel.sections[0].landcover)[..., 3].any()


def test_the_largest_of_many_parts_are_shown(tmp_path: Path):
    spots = {Window(0, 20_000 * i, 60, 300 + 150 * i): 1 for i in range(8)}
    panel = map_panel(sparse_maps(tmp_path, (60, 160_000), spots), LOOK)
    assert (len(panel.sections), panel.sections_in_map) == (6, 8)
    assert "columns 39\u202f9" in panel.sections[0].size_text


def test_around_a_pole_north_is_given_for_the_centre_only(tmp_path: Path):
    arctic = Affine(10_000, 0, -150_000, 0, -10_000, 250_000)  # the pole is within the map
    panel = map_panel(maps(tmp_path, np.ones((40, 30), np.uint8), "EPSG:3413", arctic), LOOK)
    assert "north is up at the centre only" in panel.size_text
    near = map_panel(maps(tmp_path, np.ones((40, 30), np.uint8)), LOOK)
    assert "at the centre" not in near.size_text
