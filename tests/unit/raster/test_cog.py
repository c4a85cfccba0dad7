import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import ColorInterp
from rasterio.env import getenv, hasenv
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rio_cogeo import cog_validate

from clairemap.errors import DiskFullError, StoreError
from clairemap.grid.tiles import tiles
from clairemap.grid.window import Window
from clairemap.raster import cog
from clairemap.raster.cog import CogWriter, MapLayer
from clairemap.raster.source import rasterio_window

CLASSES = MapLayer(
    "land cover class",
    "mode",
    {1: (10, 20, 30), 7: (200, 100, 0)},
    {"clairemap_version": "9"},
    {"class_1": "water", "class_7": "road"},
)
PERCENT = MapLayer("percent", "average")


# Among them widths of 512 and overviews of 512, which rio-cogeo takes for strips if the blocks are as wide.
SIZES = [(1, 1), (7, 300), (512, 512), (513, 20), (513, 512), (1031, 1025), (1100, 1023), (3, 2600), (4100, 1024)]


def utm(shape: tuple[int, int]):
    return GeoBox(shape, Affine(10, 0, 500_000, 0, -10, 5_000_000), "EPSG:32633")


def class_map(shape: tuple[int, int]):
    return np.random.default_rng(0).choice(np.array([1, 7, 255], np.uint8), shape)


def write(
    path: Path,
    values: NDArray[np.uint8],
    geobox: GeoBox,
    layer: MapLayer = CLASSES,
    compress: Literal["DEFLATE", "ZSTD"] = "DEFLATE",
    block_px: int = 512,
    threads: int = 1,
):
    with CogWriter(path, geobox, layer, compress, threads) as writer:
        for tile in tiles(values.shape, block_px):
            writer.write(tile.window, values[tile.window.slices])


def leftovers(folder: Path):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("layer", [CLASSES, PERCENT])
def test_any_size_is_a_strictly_valid_cog_with_the_same_values(tmp_path: Path, shape: tuple[int, int], layer: MapLayer):
    path, values = tmp_path / "map.tif", class_map(shape)
    write(path, values, utm(shape), layer)
    valid, faults, remarks = cog_validate(path, strict=True, quiet=True)
    assert valid and not faults and not remarks
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), values)
        assert dataset.crs.to_epsg() == 32633 and dataset.transform == utm(shape).transform
        assert dataset.nodata == 255
        assert bool(dataset.overviews(1)) == (max(shape) > 512)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("compress", ["DEFLATE", "ZSTD"])
def test_map_carries_colours_tags_and_names(tmp_path: Path, compress: Literal["DEFLATE", "ZSTD"]):
    path = tmp_path / "map.tif"
    write(path, class_map((600, 600)), utm((600, 600)), CLASSES, compress)
    with rasterio.open(path) as dataset:
        colours = dataset.colormap(1)
        assert colours[1] == (10, 20, 30, 255) and colours[7] == (200, 100, 0, 255)
        assert colours[255][3] == 0  # nodata is transparent
        assert dataset.colorinterp == (ColorInterp.palette,)
        assert dataset.descriptions == ("land cover class",)
        assert dataset.tags()["clairemap_version"] == "9"
        assert dataset.tags(1)["class_7"] == "road"
        assert dataset.compression.value.upper() == compress
    with rasterio.open(path, overview_level=0) as overview:
        assert set(np.unique(overview.read(1))) <= {1, 7, 255}


def test_overviews_of_percentages_ignore_nodata(tmp_path: Path):
    path = tmp_path / "map.tif"
    values = np.full((1024, 1024), 255, np.uint8)
    values[::2, ::2] = 40
    write(path, values, utm(values.shape), PERCENT)
    with rasterio.open(path, overview_level=0) as overview:
        assert set(np.unique(overview.read(1))) == {40}


def test_blocks_are_512_wherever_that_is_valid(tmp_path: Path):
    write(tmp_path / "map.tif", class_map((700, 800)), utm((700, 800)))
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.block_shapes == [(512, 512)]
    with rasterio.open(tmp_path / "map.tif", overview_level=0) as overview:
        assert overview.shape == (350, 400) and overview.block_shapes == [(512, 512)]


def test_without_crs(tmp_path: Path):
    path, values = tmp_path / "map.tif", class_map((40, 50))
    write(path, values, GeoBox((40, 50), Affine.identity(), None))
    with rasterio.open(path) as dataset:
        assert dataset.crs is None and np.array_equal(dataset.read(1), values)


def test_windows_never_written_are_nodata_and_odd_windows_fit(tmp_path: Path):
    path = tmp_path / "map.tif"
    with CogWriter(path, utm((700, 800)), CLASSES) as writer:
        writer.write(Window(501, 13, 3, 9), np.full((3, 9), 7, np.uint8))
    with rasterio.open(path) as dataset:
        found = dataset.read(1)
    assert (
        (found == 7).sum() == 27 and (found[501:504, 13:22] == 7).all() and (found != 7).sum() == (found == 255).sum()
    )


def test_failure_leaves_the_old_map_and_no_leftovers(tmp_path: Path):
    path = tmp_path / "map.tif"
    write(path, class_map((20, 20)), utm((20, 20)))
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), CogWriter(path, utm((20, 20)), CLASSES) as writer:
        writer.write(Window(0, 0, 20, 20), class_map((20, 20)))
        raise ZeroDivisionError
    assert path.read_bytes() == before and not leftovers(tmp_path)


def test_files_do_not_depend_on_the_number_of_threads(tmp_path: Path):
    for name, threads in (("one.tif", 1), ("two.tif", 4)):
        write(tmp_path / name, class_map((600, 700)), utm((600, 700)), threads=threads)
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "two.tif").read_bytes()


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch):
    """The options that GDAL's COG driver gets."""
    copy, given = cog.rasterio.shutil.copy, {}

    def spy(*places: Path, **options: str):
        if options["driver"] == "COG":
            given.update(options)
        copy(*places, **options)

    monkeypatch.setattr(cog.rasterio.shutil, "copy", spy)
    return given


def test_gdal_gets_the_number_of_threads(tmp_path: Path, given: dict[str, str]):
    write(tmp_path / "map.tif", class_map((20, 20)), utm((20, 20)), threads=3)
    assert given["num_threads"] == "3"


def test_large_maps_become_bigtiff(tmp_path: Path, given: dict[str, str]):
    write(tmp_path / "map.tif", class_map((20, 20)), utm((20, 20)))
    assert given["bigtiff"] == "IF_SAFER"  # the size is not known before compression


@pytest.mark.parametrize(("layer", "predictor"), [(CLASSES, None), (PERCENT, "2")])
def test_maps_of_percentages_use_a_predictor(tmp_path: Path, layer: MapLayer, predictor: str | None):
    write(tmp_path / "map.tif", class_map((20, 20)), utm((20, 20)), layer)
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR") == predictor


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cog.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    "error", [RasterioIOError("TIFFAppendToStrip: Write error"), SystemError("Unknown GDAL Error")]
)
def test_full_disk_while_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    """Both errors were observed on a file system of a few MB."""

    def fail(*_: object, **__: object):
        raise error

    monkeypatch.setattr(cog.rasterio.shutil, "copy", fail)
    with pytest.raises(DiskFullError, match="no space left"):
        write(tmp_path / "map.tif", class_map((20, 20)), utm((20, 20)))
    assert not list(tmp_path.iterdir())


class FullDataset:
    """Imitates GDAL with a cache that cannot be written: closing fails again."""

    def write(self, *_: object, **__: object):
        raise RasterioIOError("TIFFAppendToTile: Write error")

    def close(self):
        raise SystemError("Unknown GDAL Error")


@pytest.mark.usefixtures("full_disk")
def test_full_disk_while_writing(tmp_path: Path):
    writer = CogWriter(tmp_path / "map.tif", utm((20, 20)), CLASSES)
    with pytest.raises(DiskFullError, match="no space left"), writer:
        writer._dataset.close()
        writer._dataset = FullDataset()
        writer.write(Window(0, 0, 20, 20), class_map((20, 20)))
    assert not list(tmp_path.iterdir())


def reject(monkeypatch: pytest.MonkeyPatch, place: str, error: Exception):
    """Let one call at the start of a map fail: rasterio.open, mkdir or describe."""

    def fail(*_: object, **__: object):
        raise error

    owner, name = {
        "open": (cog.rasterio, "open"),
        "mkdir": (cog.Path, "mkdir"),
        "describe": (CogWriter, "_describe"),
    }[place]
    monkeypatch.setattr(owner, name, fail)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("open", RasterioIOError("Attempt to create new tiff file failed")),
        ("mkdir", OSError(28, "No space left on device")),
        ("describe", SystemError("Unknown GDAL Error")),
    ],
)
def test_full_disk_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception):
    writer = CogWriter(tmp_path / "map.tif", utm((20, 20)), CLASSES)
    reject(monkeypatch, place, error)
    with pytest.raises(DiskFullError, match="no space left"), writer:
        pass
    assert not list(tmp_path.iterdir()) and not hasenv()


@pytest.mark.parametrize("place", ["open", "describe"])
def test_failure_at_the_start_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str):
    writer = CogWriter(tmp_path / "map.tif", utm((20, 20)), CLASSES)
    reject(monkeypatch, place, RasterioIOError("something else"))
    with rasterio.Env(GDAL_CACHEMAX=2**27):
        with pytest.raises(RasterioIOError, match="something else"), writer:
            pass
        assert getenv()["GDAL_CACHEMAX"] == 2**27
    assert not list(tmp_path.iterdir()) and not hasenv()


def test_a_georeferenced_map_gives_no_warning(tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", NotGeoreferencedWarning)
        write(tmp_path / "map.tif", class_map((1100, 2100)), utm((1100, 2100)))


def test_other_gdal_errors_are_not_reported_as_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object):
        raise RasterioIOError("something else")

    monkeypatch.setattr(cog.rasterio.shutil, "copy", fail)
    with pytest.raises(OSError, match="something else"):
        write(tmp_path / "map.tif", class_map((20, 20)), utm((20, 20)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damaged", ["plain.tif", "level1.tif"])
def test_values_that_gdal_dropped_silently_are_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: str):
    """As observed on a full disk: with threads or on closing, GDAL drops blocks and reports success."""
    copy = cog.rasterio.shutil.copy

    def lossy(source: Path, target: Path, **options: object):
        if options["driver"] == "COG":
            with rasterio.open(source.with_name(damaged), "r+") as dataset:
                dataset.write(np.full((1, 5), 255, np.uint8), 1, window=((3, 4), (0, 5)))
        copy(source, target, **options)

    monkeypatch.setattr(cog.rasterio.shutil, "copy", lossy)
    with pytest.raises(StoreError, match="values read back differ"):
        write(tmp_path / "map.tif", np.full((20, 600), 7, np.uint8), utm((20, 600)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("layer", [CLASSES, PERCENT, MapLayer("number", "first")])
def test_blocks_of_nodata_are_not_stored_and_are_nodata_in_every_overview(tmp_path: Path, layer: MapLayer):
    path, shape = tmp_path / "map.tif", (30_000, 40_000)
    spots = (Window(0, 0, 300, 200), Window(29_000, 39_900, 50, 90))
    with CogWriter(path, utm(shape), layer) as writer:
        for spot in spots:
            writer.write(spot, np.full(spot.shape, 7, np.uint8))
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    assert path.stat().st_size < 150_000
    with rasterio.open(path) as dataset:
        levels = len(dataset.overviews(1))
        assert levels == 7
        for spot in spots:
            assert (dataset.read(1, window=rasterio_window(spot)) == 7).all()
        assert (dataset.read(1, window=rasterio_window(Window(10_000, 10_000, 900, 900))) == 255).all()
    for level in range(2, levels):
        with rasterio.open(path, overview_level=level) as overview:
            values, factor = overview.read(1), 2 ** (level + 1)
        expected = np.full(values.shape, 255, np.uint8)
        for spot in spots:
            expected[spot.coarsened(factor).slices] = 7
        assert np.array_equal(values, expected)
