"""What a training run is given, and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd

from clairemap.artefacts.document import document_text
from clairemap.artefacts.history import HistoryStep
from clairemap.artefacts.manifest import manifest_of
from clairemap.artefacts.model_card import BandScale, ModelCard
from clairemap.artefacts.statistics import BandStatistics, TrainingStatistics
from clairemap.errors import MissingFileError, SettingsError, StoreError
from clairemap.nets.claire import Claire
from clairemap.provenance import file_digest, json_digest
from clairemap.raster.store import open_store
from clairemap.settings import Sensor
from clairemap.stages import TrainModel
from clairemap.tiles.dataset import TileSource
from clairemap.tiles.sampling import spread_evenly
from clairemap.tiles.splits import LabelledTile, labelled_tiles, split_rows
from clairemap.tiles.statistics import check_statistics
from clairemap.training.batches import BandScales

WITHOUT_EFFECT = {"training": {"checkpoint_every", "initial_optical", "initial_sar"}}
"""Settings that the weights don't depend on: of the files of initial weights it is the content that counts."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train on, how, for how long, and where the state is kept.

    `stores` are the pair stores by scene, `splits` is the split table. `code` stands for the code that trains: state
    of another is never taken up. `curves` is a folder for TensorBoard.
    """

    stores: Mapping[str, Path]
    statistics: TrainingStatistics
    splits: pd.DataFrame
    settings: TrainModel
    checkpoints: Path
    code: str
    minutes: float | None = None
    curves: Path | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that the weights depend on: code, settings, data, files of initial weights.

        Raises:
            MissingFileError: the pair of a scene is not given, or it has no manifest, or a file of initial weights
                does not exist.
        """
        settings = self.settings.model_dump(mode="json", exclude=WITHOUT_EFFECT)
        data = [
            document_text(self.statistics),
            split_rows(self.splits),
            list(map(_pair_digest, self._pairs().values())),
        ]
        initial = {sensor: file_digest(path) for sensor, path in self.initial_weights.items()}
        return json_digest([self.code, settings, data, initial])

    @property
    def initial_weights(self) -> dict[Sensor, Path]:
        """The files with initial weights of the encoders that get any."""
        training = self.settings.training
        named: dict[Sensor, str | None] = {"optical": training.initial_optical, "sar": training.initial_sar}
        return {sensor: Path(name) for sensor, name in named.items() if name is not None}

    @property
    def scales(self) -> BandScales:
        """What the bands are normalised with."""
        return BandScales(_scale(self.statistics.optical), _scale(self.statistics.sar))

    def source(self) -> TileSource:
        """Return the opened pairs of the scenes that train or validate.

        Raises:
            MissingFileError: the pair of a scene is not given.
            StoreError: a pair is incomplete, or has other bands or another SAR scale than the statistics.
        """
        stores = {scene: open_store(path) for scene, path in self._pairs().items()}
        check_statistics(self.statistics, stores.values())
        return TileSource(stores, self.settings.network.sensors)

    def _pairs(self) -> dict[str, Path]:
        """Return the stores of the scenes that train or validate."""
        tiles = (*self.training_tiles, *labelled_tiles(self.splits, "val"))
        needed = sorted({tile.scene for tile in tiles})
        if missing := [scene for scene in needed if scene not in self.stores]:
            raise MissingFileError(f"no pair is given for the scenes {missing} of the split table; run tile_scene")
        return {scene: self.stores[scene] for scene in needed}

    @cached_property
    def training_tiles(self) -> tuple[LabelledTile, ...]:
        """The tiles that train."""
        return labelled_tiles(self.splits, "train")

    @cached_property
    def validation_tiles(self) -> tuple[LabelledTile, ...]:
        """The tiles that validate, at most as many as the settings say."""
        return spread_evenly(labelled_tiles(self.splits, "val"), self.settings.training.max_validation_tiles)

    def check(self, processes: int) -> None:
        """Check what would otherwise fail late.

        Raises:
            SettingsError: the batch can't be shared evenly by the processes, or a share not divided into micro-batches.
            StoreError: the statistics are of another number of classes than the legend.
        """
        batch = self.settings.training.batch_size
        if batch % processes:
            raise SettingsError(
                f"training.batch_size {batch} can't be shared evenly by {processes} processes; make it a multiple of "
                f"{processes}, compute.training_processes times the nodes"
            )
        share, micro_batches = batch // processes, self.settings.training.batch_parts
        if share % micro_batches:
            raise SettingsError(
                f"training.batch_parts {micro_batches} doesn't divide the {share} crops that each of {processes} "
                f"processes computes of training.batch_size {batch}; choose a divisor of {share}"
            )
        found, wanted = len(self.statistics.class_px), len(self.settings.legend.classes)
        if found != wanted:
            raise StoreError(
                f"the statistics are of {found} classes, the legend has {wanted}; run fit_statistics again"
            )


@dataclass(frozen=True)
class TrainingResult:
    """A trained network with its card, and the history of its training."""

    network: Claire
    card: ModelCard
    history: tuple[HistoryStep, ...]


def _pair_digest(pair: Path) -> str:
    """Return the hash of a pair's manifest, which lies beside it and holds hashes of its arrays.

    Raises:
        MissingFileError: there is none.
    """
    manifest = manifest_of(pair)
    if not manifest.is_file():
        raise MissingFileError(f"{manifest}: the manifest of {pair} does not exist; run tile_scene again")
    return file_digest(manifest)


def _scale(statistics: BandStatistics) -> BandScale:
    return BandScale(names=statistics.bands, mean=statistics.mean, std=statistics.std)
