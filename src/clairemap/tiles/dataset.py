"""Crops and tiles as torch tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from clairemap.artefacts.statistics import TrainingStatistics
from clairemap.grid.rounding import align_up
from clairemap.grid.window import Window
from clairemap.raster.store import GridStore
from clairemap.settings import ALIGN_PX, TrainingSettings, View
from clairemap.tiles.augmentation import flip_and_rotate, select_view
from clairemap.tiles.clouds import BandRange
from clairemap.tiles.crops import NO_OFFSET, Crop, SarOffset, TileMasks, pad, read_crop, read_masks
from clairemap.tiles.disturbance import with_disturbance
from clairemap.tiles.matching import SceneMatch
from clairemap.tiles.sampling import CropSampler, crop_window
from clairemap.tiles.split_assignment import LabelledTile


class TrainingSample(NamedTuple):
    """Tensors of a crop: bands CHW float32, weights 1HW float32 0 or 1, target HW int64; N comes first in a batch.

    `misleading` 2HW bool: pixels of optical and of SAR that were disturbed so that they mislead.
    Bands are the store's values; the model's card normalises whole batches, as in mapping.
    """

    optical: Tensor
    sar: Tensor
    optical_weight: Tensor
    sar_weight: Tensor
    target: Tensor
    misleading: Tensor

    def to(self, device: torch.device) -> "TrainingSample":
        """Return the sample on a device."""
        return TrainingSample(*(layer.to(device, non_blocking=True) for layer in self))


@dataclass(frozen=True)
class TileSource:
    """Opened pair of each scene, the sensors in use, and how scenes are matched to the training tiles, if they are.

    Several threads may read at the same time.
    """

    stores: Mapping[str, GridStore]
    view: View
    matches: Mapping[str, SceneMatch] = field(default_factory=dict)

    def read_stored(self, scene: str, masks: TileMasks, window: Window, sar_offset: SarOffset = NO_OFFSET) -> Crop:
        """Return a crop with the stored values of the sensors in use, see `read_crop`.

        Raises:
            StoreError: the store is damaged there.
        """
        return select_view(read_crop(self.stores[scene], masks, window, sar_offset), self.view)

    def read(self, scene: str, masks: TileMasks, window: Window, sar_offset: SarOffset = NO_OFFSET) -> Crop:
        """Return a crop as `read_stored`, matched to the training tiles.

        Raises:
            StoreError: the store is damaged there.
        """
        crop = self.read_stored(scene, masks, window, sar_offset)
        return self.matches[scene](crop) if scene in self.matches else crop


class CropDataset(Dataset[TrainingSample]):
    """Crops of a training run, indexed by crop number.

    Memory per sample: the tile's label and validity, and the crop's layers.
    """

    def __init__(
        self, source: TileSource, sampler: CropSampler, settings: TrainingSettings, statistics: TrainingStatistics
    ) -> None:
        """Combine source, sampler, settings and statistics.

        Raises:
            StoreError: a store has no optical bands.
        """
        self._source = source
        self._sampler = sampler
        self._settings = settings
        self._statistics = statistics
        self._scales = {
            scene: BandRange.of(statistics.optical, store.array("optical").dtype)
            for scene, store in source.stores.items()
        }

    def __len__(self) -> int:
        """Return the number of crops in the whole run."""
        return self._settings.steps * self._settings.batch_size

    def __getitem__(self, number: int) -> TrainingSample:
        """Return a crop.

        Raises:
            StoreError: a store is damaged, or its labels do not match the tile index.
        """
        plan = self._sampler.plan(number).limited_to(self._source.view)
        store = self._source.stores[plan.tile.scene]
        masks = read_masks(store, plan.tile.window)
        side = self._settings.crop_px
        window, scene = crop_window(plan, masks.target, side), plan.tile.scene
        crop = self._source.read_stored(scene, masks, window, plan.disturbance.sar_offset)
        scale, match = self._scales[scene], self._source.matches.get(scene)
        crop = with_disturbance(crop, plan.disturbance, plan.dropped, self._statistics, scale, match)
        return as_sample(flip_and_rotate(pad(crop, side, side), plan.turn))


class TileDataset(Dataset[TrainingSample]):
    """Whole tiles without augmentation, padded to the network's alignment."""

    def __init__(self, source: TileSource, tiles: Sequence[LabelledTile]) -> None:
        """Combine source and tiles."""
        self._source = source
        self.tiles = tuple(tiles)

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.tiles)

    def __getitem__(self, number: int) -> TrainingSample:
        """Return a tile.

        Raises:
            StoreError: a store is damaged.
        """
        tile = self.tiles[number]
        masks = read_masks(self._source.stores[tile.scene], tile.window)
        crop = self._source.read(tile.scene, masks, tile.window)
        return as_sample(pad(crop, *_aligned_shape(tile.window)))


def _aligned_shape(window: Window) -> tuple[int, int]:
    return align_up(window.height, ALIGN_PX), align_up(window.width, ALIGN_PX)


def as_sample(crop: Crop) -> TrainingSample:
    """Return a crop's layers as tensors."""
    return TrainingSample(
        torch.from_numpy(crop.optical),
        torch.from_numpy(crop.sar),
        torch.from_numpy(crop.optical_weight),
        torch.from_numpy(crop.sar_weight),
        torch.from_numpy(crop.target.astype("int64")),
        torch.from_numpy(crop.misleading),
    )


def stack_samples(samples: Sequence[TrainingSample]) -> TrainingSample:
    """Return the samples as one batch."""
    return TrainingSample(*(torch.stack(layers) for layers in zip(*samples, strict=True)))
