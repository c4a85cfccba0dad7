"""What each scene was made of: files, grid, tiles."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from odc.geo.geobox import GeoBox

from clairemap.artefacts.store_attributes import PairAttributes
from clairemap.artefacts.tiles import TileId
from clairemap.grid.earth import crs_name
from clairemap.raster.store import GridStore
from clairemap.report.numbers import count

UNITS = {"metre": " m"}


@dataclass(frozen=True)
class SceneInput:
    """A scene's files by role, empty without one, its grid, and its tiles: all and explained ones."""

    scene: str
    optical: str
    sar: str
    label: str
    cloud: str
    grid: str
    tiles: int
    explained: int


def scene_inputs(
    pairs: Iterable[GridStore], windows: Iterable[TileId], explained: Iterable[TileId]
) -> tuple[SceneInput, ...]:
    """Return the inputs of each scene.

    Args:
        pairs: stores of the scenes.
        windows: all tiles.
        explained: the explained ones.
    """
    tiles, described = (Counter(tile.scene for tile in ids) for ids in (windows, explained))
    return tuple(_scene_input(pair, tiles[pair.scene], described[pair.scene]) for pair in pairs)


def _scene_input(pair: GridStore, tiles: int, explained: int) -> SceneInput:
    files: Mapping[str, str] = pair.attributes_as(PairAttributes).sources
    return SceneInput(
        scene=pair.scene,
        optical=files.get("optical", ""),
        sar=files.get("sar", ""),
        label=files.get("label", ""),
        cloud=files.get("cloud", ""),
        grid=_grid_text(pair.geobox),
        tiles=tiles,
        explained=explained,
    )


def _grid_text(grid: GeoBox) -> str:
    height, width = grid.shape
    size = f"{count(width)} × {count(height)} px"
    if grid.crs is None:
        return f"{size}, no CRS"
    unit = "°" if grid.crs.geographic else UNITS.get(grid.crs.units[0], f" {grid.crs.units[0]}")
    return f"{size} of {abs(grid.resolution.x):.6g}{unit}, {crs_name(grid.crs)}"
