"""Content of the interactive map: layers, tiles, outlines of the scenes, and sample points of each map."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from clairemap.classes import MAP_NODATA, ColoredLegend
from clairemap.errors import UnreadableFileError
from clairemap.grid.window import Window
from clairemap.outputs import MapFiles
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window
from clairemap.raster.store import GridStore
from clairemap.report.budget import Budget
from clairemap.report.content import DisplaySettings
from clairemap.report.degrees_grid import degrees_grid
from clairemap.report.earlier_map import difference_source
from clairemap.report.frames import frames_of
from clairemap.report.map_frame import MapFrame
from clairemap.report.map_panel import LARGE_MAPS
from clairemap.report.pyramid import BLOCK_PX, Block, Kind, LayerSource, Pyramid, pyramids, top_step
from clairemap.report.scene_choice import scene_choice
from clairemap.report.scene_layers import SceneLayers

SCENES_SHARE = 0.2
"""Share of the bytes for the map's pictures that those of single scenes may use."""

PERCENT_STEP = 5
"""Percentages are rounded to multiples of this, which makes the pictures several times smaller."""

TITLES = {
    "landcover": "Land cover",
    "confidence": "Confidence",
    "optical_share": "Optical share",
    "source_count": "Source count",
    "optical": "Optical image",
    "sar": "SAR image",
    "labels": "Labels",
    "errors": "Errors against labels",
    "difference": "Earlier class, where it differs",
}

Table = NDArray[np.uint8]
"""What each of the 256 stored values becomes."""


def file_source(key: str, kind: Kind, path: Path, resampling: Resampling, table: Table) -> LayerSource:
    """Return a map's file as a layer, its values replaced by those of a table."""

    def read(window: Window, step: int) -> NDArray[np.uint8]:
        shape = window.coarsened(step).shape
        try:
            with open_raster(path) as raster:
                stored = raster.read(1, window=rasterio_window(window), out_shape=shape, resampling=resampling)
        except RasterioError as error:
            raise _unreadable(path, error) from None
        return np.asarray(table[stored])

    return LayerSource(key, kind, 1, read)


def index_table(legend: ColoredLegend) -> Table:
    """Return the class index of each code, MAP_NODATA for others."""
    table = np.full(256, MAP_NODATA, np.uint8)
    table[legend.codes] = np.arange(len(legend))
    return table


def _percent_table() -> Table:
    table = np.arange(256)
    table[:101] = np.round(table[:101] / PERCENT_STEP) * PERCENT_STEP
    return table.astype(np.uint8)


def file_sources(files: MapFiles, legend: ColoredLegend) -> list[LayerSource]:
    """Return the four layers of a map's files."""
    same = np.arange(256).astype(np.uint8)
    average, nearest = Resampling.average, Resampling.nearest
    return [
        file_source("landcover", "classes", files.landcover, nearest, index_table(legend)),
        file_source("confidence", "percent", files.confidence, average, _percent_table()),
        file_source("optical_share", "percent", files.optical_share, average, _percent_table()),
        file_source("source_count", "scenes", files.source_count, nearest, same),
    ]


@dataclass(frozen=True)
class ShownMap:
    """A map and its layers as the page's data. `unread` are the scenes that could not be drawn."""

    frame: MapFrame
    data: dict[str, Any]
    pictures: tuple[str, ...]
    unread: tuple[str, ...]


def shown_map(
    files: MapFiles,
    stores: Sequence[GridStore],
    display: DisplaySettings,
    budget: Budget,
    first_picture: int,
    maps: int,
    earlier: Path | None = None,
) -> ShownMap:
    """Return the data of one of the region's `maps`. Its pictures are numbered from `first_picture`.

    `stores` are its scenes; where they overlap, the last one is on top. `earlier` is the land-cover file of an earlier
    map to compare with.

    Raises:
        UnreadableFileError: a file is missing or damaged.
    """
    try:
        sections = frames_of(files.landcover).windows
        with open_raster(files.landcover) as raster:
            grid = GeoBox((raster.height, raster.width), raster.transform, raster.crs)
    except RasterioError as error:
        raise _unreadable(files.landcover, error) from None
    frame = MapFrame.of(grid)
    longest_px = round(BLOCK_PX * min(1.0, math.sqrt(LARGE_MAPS / maps)))
    sections = tuple(_aligned(section, frame.shape, longest_px) for section in sections)
    layers = SceneLayers(sections, grid)
    unread = layers.paint_scenes(stores, display)
    for_scenes = Budget(round(SCENES_SHARE * budget.left))
    before = for_scenes.left
    choice = scene_choice(layers, stores, display, frame, for_scenes)
    budget.use(before - for_scenes.left)
    landcover, *others = file_sources(files, display.legend)
    sources = [landcover, *others, *layers.sources(landcover.read)]
    if earlier is not None:
        sources.append(difference_source(landcover, files.landcover, earlier, index_table(display.legend)))
    built = pyramids(sources, sections, frame, budget, longest_px)
    pictures: list[str] = []
    shown = [_layer_data(pyramid, pictures, first_picture) for pyramid in built if pyramid.blocks]
    data = _map_data(files.name, frame, sections, shown)
    data["choice"] = [
        [scene, {key: _block_data(blocks, pictures, first_picture) for key, blocks in parts.items()}]
        for scene, parts in choice.blocks.items()
    ]
    data["scenes_without_picture"] = choice.left_out
    return ShownMap(frame, data, tuple(pictures), unread)


def _aligned(section: Window, shape: tuple[int, int], longest_px: int) -> Window:
    """Return a section whose corners are corners of the coarsest pixels."""
    step = top_step(section, longest_px)
    return section.coarsened(step).refined(step).clipped(shape)


def _layer_data(pyramid: Pyramid, pictures: list[str], first_picture: int) -> dict[str, Any]:
    key = pyramid.source.key
    return {
        "key": key,
        "title": TITLES[key],
        "kind": pyramid.source.kind,
        "step": pyramid.finest_step,
        "blocks": _block_data(pyramid.blocks, pictures, first_picture),
    }


def _block_data(blocks: Sequence[Block], pictures: list[str], first_picture: int) -> list[list[float]]:
    """Add the pictures of blocks; return the blocks with the numbers of their pictures."""
    found = []
    for block in blocks:
        found.append([block.step, *block.box, block.height, block.width, first_picture + len(pictures)])
        pictures.append(block.data)
    return found


def _map_data(
    name: str, frame: MapFrame, sections: Sequence[Window], layers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    north = None if frame.geometry is None else frame.geometry.north_deg(frame.turn)
    return {
        "name": name,
        "box": frame.box(Window.whole(frame.shape)),
        "sections": [frame.box(section) for section in sections],
        "crs": frame.crs_text,
        "geographic": bool(frame.grid.crs is not None and frame.grid.crs.geographic),
        "world": frame.to_world,
        "ground_m": frame.ground_m(),
        "degrees": degrees_grid(frame),
        "north": None if north is None else round(north, 1),
        "layers": list(layers),
        "outlines": [],
        "points": [],
    }


def _unreadable(path: Path, error: Exception) -> UnreadableFileError:
    return UnreadableFileError(f"{path}: cannot be read for the report ({error}); delete it and run again")
