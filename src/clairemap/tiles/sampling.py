"""Which crops a training run sees, drawn one by one from the seed and the crop's number alone.

Crop 1234 is the same whatever the number of processes and threads, and however often training stopped and went on:
no state of the sampler has to be saved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clairemap.errors import NoTrainingDataError, StoreError
from clairemap.grid.window import Window
from clairemap.settings import AugmentationSettings, Sensor, TrainingSettings, View
from clairemap.tiles.augmentation import FlipRotation
from clairemap.tiles.crops import Labels
from clairemap.tiles.disturbance import Disturbance
from clairemap.tiles.splits import LabelledTile


@dataclass(frozen=True)
class ClassPixel:
    """The pixel to centre a crop on: the `rank`-th pixel of a class in a tile, counted row by row from 0."""

    class_index: int
    rank: int


@dataclass(frozen=True)
class CropPosition:
    """Where a crop lies in its tile, as shares (0..1) of the room that it has in y and x."""

    down: float
    right: float


@dataclass(frozen=True)
class CropPlan:
    """One crop as drawn: its tile, where in it, how it is turned, what is done to it, the sensor to mask out if any."""

    tile: LabelledTile
    aim: ClassPixel | CropPosition
    turn: FlipRotation
    dropped: Sensor | None
    disturbance: Disturbance

    def limited_to(self, view: View) -> "CropPlan":
        """Return what of the plan concerns a network of that view.

        Only where both sensors are looked at can one be masked out, or SAR be displaced against the other; and
        nothing is painted on what isn't looked at.
        """
        if view == "fused":
            return replace(self, disturbance=self.disturbance.sar_only()) if self.dropped == "optical" else self
        limited = self.disturbance.optical_only() if view == "optical" else self.disturbance.sar_only()
        return replace(self, dropped=None, disturbance=limited)


class CropSampler:
    """Draws crops from the labelled training tiles.

    A share of the crops is centred on a pixel of a class, each class drawn as often as any other and each pixel of
    it as often as any other; the rest lie anywhere in a tile drawn by its labelled pixels.
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
            augmentation: what is done to the crops' values.
            seed: of all crops.

        Raises:
            NoTrainingDataError: there is no tile with labels.
        """
        if not tiles:
            raise NoTrainingDataError(
                "no training tile has a labelled pixel; check the labels of the train scenes and splits.*"
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
        # Every number is drawn for every crop, so that one setting doesn't change what the others draw.
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
    """Return a pixel drawn evenly: its tile, and its rank there, from the running sum of pixels over the tiles."""
    pixel = int(random.integers(running_px[-1]))
    tile = int(np.searchsorted(running_px, pixel, side="right"))
    return tile, pixel - int(running_px[tile - 1] if tile else 0)


def crop_window(plan: CropPlan, target: Labels, crop_px: int) -> Window:
    """Return the crop's window in its scene; it lies inside the tile, and is cut off where the tile is smaller.

    Args:
        plan: the crop as drawn.
        target: class indices of the whole tile (y, x), IGNORE_INDEX where there is nothing to learn.
        crop_px: side of the crop.

    Raises:
        StoreError: the tile's labels are not those of the index that the plan was drawn from.
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
            f"the tile index says {plan.tile.class_px[aim.class_index]}; run tile_scene and fit_statistics again"
        )
    y, x = divmod(int(pixels[aim.rank]), target.shape[1])
    return y, x


def spread_evenly(tiles: Sequence[LabelledTile], count: int) -> tuple[LabelledTile, ...]:
    """Return up to `count` of the tiles, spread evenly over their order."""
    if len(tiles) <= count:
        return tuple(tiles)
    return tuple(tiles[(number * len(tiles)) // count] for number in range(count))
