"""Crops of a training run, each drawn from the seed and the crop's number alone.

A crop does not depend on the number of processes and threads or on interruptions, so the sampler has no state to save.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.grid.window import Window
from clairemap.outputs import FUSED
from clairemap.settings import AugmentationSettings, Sensor, TrainingSettings, View
from clairemap.tiles.augmentation import FlipRotation
from clairemap.tiles.crops import Labels
from clairemap.tiles.disturbance import Disturbance
from clairemap.tiles.split_assignment import LabelledTile

AnyTile = TypeVar("AnyTile")


@dataclass(frozen=True)
class ClassPixel:
    """Centre pixel of a crop: the `rank`-th pixel of a class in a tile, 0-based, row by row."""

    class_index: int
    rank: int


@dataclass(frozen=True)
class CropPosition:
    """Position of a crop in its tile, as shares (0..1) of the possible offsets in y and x."""

    down: float
    right: float


@dataclass(frozen=True)
class CropPlan:
    """A crop as drawn: tile, position, flip and rotation, dropped sensor if any, and disturbance."""

    tile: LabelledTile
    aim: ClassPixel | CropPosition
    turn: FlipRotation
    dropped: Sensor | None
    disturbance: Disturbance

    def limited_to(self, view: View) -> "CropPlan":
        """Return the plan for a network of that view.

        Only fused networks drop a sensor or displace SAR. Sensors that are not in use get no disturbance.
        """
        if view == FUSED:
            return replace(self, disturbance=self.disturbance.sar_only()) if self.dropped == "optical" else self
        limited = self.disturbance.optical_only() if view == "optical" else self.disturbance.sar_only()
        return replace(self, dropped=None, disturbance=limited)


class CropSampler:
    """Draws crops from the labelled training tiles.

    A share of the crops is centred on a random pixel of a uniformly drawn class. The others are at any position in a
    tile drawn with its number of labelled pixels as weight.
    """

    def __init__(
        self,
        tiles: Sequence[LabelledTile],
        settings: TrainingSettings,
        augmentation: AugmentationSettings,
        seed: int,
    ) -> None:
        """Prepare the draw.

        Args:
            tiles: training tiles with labels.
            settings: `rare_class_share` and `sensor_dropout`.
            augmentation: disturbance of the crops' values.
            seed: seed of the run.

        Raises:
            NoTrainingDataError: no tile has labels.
        """
        if not tiles:
            raise NoTrainingDataError(
                "no training tile has a labelled pixel; check the labels of the training scenes and splits.*"
            )
        self._tiles = tuple(tiles)
        self._settings = settings
        self._augmentation = augmentation
        self._seed = seed
        self._class_px = np.cumsum(np.array([tile.class_px for tile in tiles], np.int64), axis=0)  # (tile, class)
        self._labelled_px = self._class_px.sum(axis=1)
        self._present = np.flatnonzero(self._class_px[-1])

    def plan(self, number: int) -> CropPlan:
        """Return crop `number` (from 0) of the run."""
        random = np.random.default_rng((self._seed, number))
        disturbance = Disturbance.sample(self._augmentation, (self._seed, number))
        # Every number is drawn for every crop, so that settings do not change each other's draws.
        choice, dropout, down, right = random.random(4)
        class_index = int(random.choice(self._present))
        turn = FlipRotation(quarters=int(random.integers(4)), mirrored=bool(random.integers(2)))
        sensor: Sensor = "optical" if random.integers(2) else "sar"
        dropped = sensor if dropout < self._settings.sensor_dropout else None
        if choice < self._settings.rare_class_share:
            tile, rank = _draw_pixel(self._class_px[:, class_index], random)
            return CropPlan(self._tiles[tile], ClassPixel(class_index, rank), turn, dropped, disturbance)
        tile, _ = _draw_pixel(self._labelled_px, random)
        return CropPlan(self._tiles[tile], CropPosition(down, right), turn, dropped, disturbance)


def _draw_pixel(running_px: NDArray[np.int64], random: np.random.Generator) -> tuple[int, int]:
    """Return the tile and rank of a uniformly drawn pixel, from the cumulative pixels of the tiles."""
    pixel = int(random.integers(running_px[-1]))
    tile = int(np.searchsorted(running_px, pixel, side="right"))
    return tile, pixel - int(running_px[tile - 1] if tile else 0)


def crop_window(plan: CropPlan, target: Labels, crop_px: int) -> Window:
    """Return the crop's window in its scene; it is inside the tile, and smaller than `crop_px` in small tiles.

    Args:
        plan: the crop as drawn.
        target: class indices of the whole tile (y, x), IGNORE_INDEX without a target.
        crop_px: side of the crop.

    Raises:
        StoreError: the tile's labels do not match the index of the plan.
    """
    tile = plan.tile.window
    height, width = min(crop_px, tile.height), min(crop_px, tile.width)
    room_y, room_x = tile.height - height, tile.width - width
    if isinstance(plan.aim, CropPosition):
        top, left = int(plan.aim.down * (room_y + 1)), int(plan.aim.right * (room_x + 1))
    else:
        y, x = _pixel_of_class(plan, plan.aim, target)
        top, left = y - height // 2, x - width // 2
    return Window(tile.y0 + min(max(top, 0), room_y), tile.x0 + min(max(left, 0), room_x), height, width)


def _pixel_of_class(plan: CropPlan, aim: ClassPixel, target: Labels) -> tuple[int, int]:
    pixels = np.flatnonzero(target == aim.class_index)
    if aim.rank >= len(pixels):
        raise StoreError(
            f"scene {plan.tile.scene!r}, {plan.tile.window}: {len(pixels)} pixels of class index {aim.class_index}, "
            f"but {plan.tile.class_px[aim.class_index]} in the tile index; run tile_scene and fit_statistics again"
        )
    y, x = divmod(int(pixels[aim.rank]), target.shape[1])
    return y, x


def spread_evenly(tiles: Sequence[AnyTile], count: int) -> tuple[AnyTile, ...]:
    """Return at most `count` of the tiles, evenly spaced in their order."""
    if len(tiles) <= count:
        return tuple(tiles)
    return tuple(tiles[(number * len(tiles)) // count] for number in range(count))
