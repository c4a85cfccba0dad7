"""Pictures of single scenes that others cover on the map, so that each can be put on top.

Where scenes overlap, the one with the least cloud is on top: `from_cloudy_to_clear`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clairemap.errors import ClairemapError
from clairemap.grid.mapping import PixelMapping
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.report.budget import Budget
from clairemap.report.content import DisplaySettings
from clairemap.report.map_frame import MapFrame
from clairemap.report.pyramid import Block, photograph
from clairemap.report.scene_layers import Canvas, SceneLayers, paint_scene
from clairemap.report.tile_records import TileDigest

SCENE_PX = 512
"""Maximum side of a scene's picture."""

UNKNOWN_PCT = 101.0
"""Cloud of scenes without a cloud mask: they are below all others."""


def from_cloudy_to_clear(stores: Iterable[GridStore], digests: Iterable[TileDigest]) -> list[GridStore]:
    """Return scenes sorted by the mean cloud of their tiles, the least last; of equal ones, the first name last."""
    clouds: dict[str, list[float]] = {}
    for tile in digests:
        if tile.cloud_pct is not None:
            clouds.setdefault(tile.id.scene, []).append(tile.cloud_pct)
    means = {scene: float(np.mean(values)) for scene, values in clouds.items()}
    named = sorted(stores, key=lambda store: store.scene, reverse=True)
    return sorted(named, key=lambda store: -means.get(store.scene, UNKNOWN_PCT))


@dataclass(frozen=True)
class SceneChoice:
    """Blocks of the scenes that can be put on top, by scene and layer, and the number of scenes beyond the budget."""

    blocks: Mapping[str, Mapping[str, Sequence[Block]]]
    left_out: int = 0


def scene_choice(
    layers: SceneLayers, stores: Sequence[GridStore], display: DisplaySettings, frame: MapFrame, budget: Budget
) -> SceneChoice:
    """Return pictures of the covered scenes, those with the most covered pixels first, while the budget lasts.

    Args:
        layers: the painted scenes.
        stores: the scenes in the order in which they were painted.
        display: colours and contrast.
        frame: frame of the map.
        budget: bytes for these pictures.
    """
    found: dict[str, dict[str, list[Block]]] = {}
    ordered = [stores[number - 1] for number, _ in layers.covered.most_common()]
    beyond_budget = 0
    for number, store in enumerate(ordered):
        try:
            blocks = _blocks(layers, store, display, frame)
        except ClairemapError:  # reported when the scenes were painted
            continue
        size = sum(len(block.data) for part in blocks.values() for block in part)
        if not budget.allows(size):
            beyond_budget = len(ordered) - number
            break
        budget.use(size)
        found[store.scene] = blocks
    return SceneChoice(dict(sorted(found.items())), beyond_budget)


def _blocks(layers: SceneLayers, store: GridStore, display: DisplaySettings, frame: MapFrame) -> dict[str, list[Block]]:
    canvases = [
        Canvas.of(part, step) for canvas in layers.canvases for part, step in _parts(canvas, store, layers, frame.shape)
    ]
    for _ in paint_scene(store, canvases, layers.grid, display):
        pass
    found: dict[str, list[Block]] = {"optical": [], "sar": []}
    for canvas in canvases:
        part = canvas.cells.refined(canvas.step).clipped(frame.shape)
        for name, colors in (("optical", canvas.optical), ("sar", canvas.sar)):
            if colors[..., 3].any():
                found[name].append(photograph(colors, part, canvas.step, frame))
    return found


def _parts(canvas: Canvas, store: GridStore, layers: SceneLayers, shape: tuple[int, int]) -> list[tuple[Window, int]]:
    """Return the scene's window in a section of the map, and the step of its picture; none outside the section."""
    target = canvas.target(Window.whole(store.shape), PixelMapping(store.geobox, layers.grid))
    if target.is_empty:
        return []
    step = canvas.step
    while max(target.shape) * canvas.step > SCENE_PX * step:
        step *= 2
    return [(target.refined(canvas.step).coarsened(step).refined(step).clipped(shape), step)]
