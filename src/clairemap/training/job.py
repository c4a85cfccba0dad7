"""Input and result of a training run."""

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
from clairemap.model_folder import read_model
from clairemap.nets.claire import Claire
from clairemap.outputs import FUSED
from clairemap.provenance import file_digest, json_digest
from clairemap.raster.scene_moments import scene_moments
from clairemap.raster.store import GridStore, open_store
from clairemap.settings import Sensor
from clairemap.stages import TrainModel
from clairemap.tiles.dataset import TileSource
from clairemap.tiles.matching import SceneMatch
from clairemap.tiles.sampling import spread_evenly
from clairemap.tiles.split_assignment import LabelledTile, labelled_tiles, split_rows
from clairemap.tiles.training_statistics import check_statistics
from clairemap.training.batches import BandScales


@dataclass(frozen=True)
class TrainingJob:
    """Data and settings of a training run, its time limit, and the folder of its checkpoints.

    `stores` are the pair stores by scene, `splits` is the split table, `code` identifies the code, `minutes` is the
    time limit, `curves` is a folder for TensorBoard.
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
        """Hash of everything that the weights depend on: code, settings, data, files of initial weights.

        Raises:
            MissingFileError: a pair, its manifest or a file of initial weights is missing.
        """
        settings = self.settings.relevant()
        data = [
            document_text(self.statistics),
            split_rows(self.splits),
            list(map(_pair_digest, self._pairs().values())),
        ]
        initial = {sensor: file_digest(path) for sensor, path in self.initial_weights.items()}
        start = [] if self.start_card is None else [document_text(self.start_card)]
        return json_digest([self.code, settings, data, initial, *start])

    @property
    def initial_weights(self) -> dict[Sensor, Path]:
        """Files with initial weights, by sensor."""
        training = self.settings.training
        named: dict[Sensor, str | None] = {"optical": training.initial_optical, "sar": training.initial_sar}
        return {sensor: Path(name) for sensor, name in named.items() if name is not None}

    @cached_property
    def start_card(self) -> ModelCard | None:
        """Card of the model to fine-tune; None without one.

        Raises:
            MissingFileError, BundleError: the model's files are missing, or the card is damaged.
        """
        folder = self.settings.training.start_from
        return None if folder is None else read_model(Path(folder), "training.start_from").card

    @property
    def scales(self) -> BandScales:
        """Scales of the bands, for normalisation."""
        if self.start_card is not None and not self.uses_own_statistics:
            return BandScales(self.start_card.optical_bands, self.start_card.sar_bands)
        return BandScales(_scale(self.statistics.optical), _scale(self.statistics.sar))

    @property
    def uses_own_statistics(self) -> bool:
        """Whether the statistics of this training normalise, not those of a model that it starts from.

        Scenes that are normalised by their own moments are matched to the statistics of this training.
        """
        training = self.settings.training
        return training.normalisation == "scene" or training.statistics_from == "scenes"

    @property
    def loss_weights(self) -> tuple[float, float]:
        """Weights of the loss of each sensor alone and of the loss of the gate; 0 if the network has no such part."""
        network, training = self.settings.network, self.settings.training
        is_fused = network.sensors == FUSED and network.fusion != "early"
        has_gate = is_fused and network.fusion != "sum"
        return training.alone_weight if is_fused else 0.0, training.gate_weight if has_gate else 0.0

    def source(self) -> TileSource:
        """Return the opened pairs of the training and validation scenes.

        Raises:
            MissingFileError: a scene has no pair.
            StoreError: a pair is incomplete, or its bands or SAR scale differ from the statistics.
        """
        stores = {scene: open_store(path) for scene, path in self._pairs().items()}
        check_statistics(self.statistics, stores.values())
        return TileSource(stores, self.settings.network.sensors, self.matches(stores))

    def matches(self, stores: Mapping[str, GridStore]) -> dict[str, SceneMatch]:
        """Return how scenes are matched to the training tiles; empty if they are not.

        Raises:
            StoreError: a pair is from an earlier version, without band moments.
        """
        if self.settings.training.normalisation == "training":
            return {}
        scales = self.scales
        return {
            scene: SceneMatch.of(scene_moments(store), scales.optical, scales.sar) for scene, store in stores.items()
        }

    def _pairs(self) -> dict[str, Path]:
        """Return the stores of the training and validation scenes."""
        tiles = (*self.training_tiles, *labelled_tiles(self.splits, "val"))
        needed = sorted({tile.scene for tile in tiles})
        if missing := [scene for scene in needed if scene not in self.stores]:
            raise MissingFileError(f"no pair for the scenes {missing} of the split table; run tile_scene for them")
        return {scene: self.stores[scene] for scene in needed}

    @cached_property
    def training_tiles(self) -> tuple[LabelledTile, ...]:
        """The training tiles."""
        return labelled_tiles(self.splits, "train")

    @cached_property
    def validation_tiles(self) -> tuple[LabelledTile, ...]:
        """The validation tiles, at most `training.max_validation_tiles`."""
        return spread_evenly(labelled_tiles(self.splits, "val"), self.settings.training.max_validation_tiles)

    def check(self, processes: int) -> None:
        """Check batch size and number of classes before training starts.

        Raises:
            SettingsError: the batch cannot be divided evenly among the processes, or their shares into micro-batches.
            StoreError: statistics and legend have different numbers of classes.
        """
        batch = self.settings.training.batch_size
        if batch % processes:
            raise SettingsError(
                f"training.batch_size {batch} cannot be divided evenly among {processes} processes; set it to a "
                f"multiple of {processes}, compute.training_processes times the nodes"
            )
        share, micro_batches = batch // processes, self.settings.training.batch_parts
        if share % micro_batches:
            raise SettingsError(
                f"training.batch_parts {micro_batches} does not divide the {share} crops per process "
                f"(training.batch_size {batch}, {processes} processes); set it to a divisor of {share}"
            )
        found, expected = len(self.statistics.class_px), len(self.settings.legend.classes)
        if found != expected:
            raise StoreError(
                f"the statistics have {found} classes, but legend.classes has {expected}; run fit_statistics again"
            )


@dataclass(frozen=True)
class TrainingResult:
    """A trained network, its card, and the history of its training."""

    network: Claire
    card: ModelCard
    history: tuple[HistoryStep, ...]


def _pair_digest(pair: Path) -> str:
    """Return the hash of a pair's manifest, which contains the hashes of its arrays.

    Raises:
        MissingFileError: the manifest does not exist.
    """
    manifest = manifest_of(pair)
    if not manifest.is_file():
        raise MissingFileError(f"{manifest}: no such file, the manifest of {pair}; run tile_scene again")
    return file_digest(manifest)


def _scale(statistics: BandStatistics) -> BandScale:
    return BandScale(names=statistics.bands, mean=statistics.mean, std=statistics.std)
