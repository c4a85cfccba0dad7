"""Train the network, in one process or in several (torchrun)."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from clairemap.artefacts.history import write_history
from clairemap.artefacts.splits import read_splits
from clairemap.artefacts.statistics import read_statistics
from clairemap.console import run
from clairemap.nets.bundle import save_bundle
from clairemap.provenance import stamp
from clairemap.raster.identity import remembered
from clairemap.raster.store import check_store
from clairemap.stages import TrainModel
from clairemap.training.distributed import process_group
from clairemap.training.job import TrainingJob
from clairemap.training.loop import train


def train_model(
    *,
    pair: Annotated[list[Path], typer.Option(help="pair.zarr of each labelled train and val scene (repeat)")],
    statistics: Annotated[Path, typer.Option(help="statistics.json of the training tiles")],
    splits: Annotated[Path, typer.Option(help="training_splits.parquet: the split of each tile")],
    weights: Annotated[Path, typer.Option(help="model.safetensors to write")],
    card: Annotated[Path, typer.Option(help="model.json to write")],
    history: Annotated[Path, typer.Option(help="history.csv to write")],
    checkpoints: Annotated[Path, typer.Option(help="folder for checkpoints, kept between runs")],
    fingerprint: Annotated[str, typer.Option(help="hash of the code; must be equal to resume")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.TrainModel)")],
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="auto: use a GPU if there is one")] = "auto",
    minutes: Annotated[float | None, typer.Option(help="time limit; a checkpoint is saved before it ends")] = None,
    record: Annotated[Path | None, typer.Option(help="initial.json to update: what was read of them")] = None,
    tensorboard: Annotated[Path | None, typer.Option(help="folder for TensorBoard curves (default: none)")] = None,
) -> None:
    """Write the trained model and its history; resume an interrupted run."""
    job = TrainingJob(
        stores={check_store(path).scene: path for path in pair},
        statistics=read_statistics(statistics),
        splits=read_splits(splits),
        settings=TrainModel.from_json(settings),
        checkpoints=checkpoints,
        code=fingerprint,
        minutes=minutes,
        curves=tensorboard,
    )
    with process_group(device) as processes:
        with remembered(job.initial_weights, record if processes.is_first else None):
            trained = train(job, processes, stamp("train_model", settings))
        if trained is not None:  # the first process writes for all
            write_history(history, trained.history)
            save_bundle(trained.network, trained.card, weights, card)


if __name__ == "__main__":
    run(train_model)
