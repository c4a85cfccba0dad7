"""Split the tiles into training and validation, and compute statistics of the training tiles."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from clairemap.artefacts.splits import write_splits
from clairemap.artefacts.statistics import write_statistics
from clairemap.artefacts.tiles import TILE_ID, read_tile_index
from clairemap.console import run
from clairemap.errors import SettingsError
from clairemap.raster.store import check_store
from clairemap.scenes import SPLITS, Split
from clairemap.stages import FitStatistics
from clairemap.tiles.split_assignment import assign_splits
from clairemap.tiles.training_statistics import fit_statistics as fit


def fit_statistics(
    *,
    pair: Annotated[list[Path], typer.Option(help="pair.zarr of each labelled train and val scene (repeat)")],
    tiles: Annotated[list[Path], typer.Option(help="tiles.parquet of the same scenes (repeat)")],
    split: Annotated[list[str], typer.Option(help="split of a scene in the sample sheet, as scene=split (repeat)")],
    statistics: Annotated[Path, typer.Option(help="statistics.json to write")],
    splits: Annotated[Path, typer.Option(help="training_splits.parquet to write: the split of each tile")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.FitStatistics)")],
    threads: Annotated[int, typer.Option(help="number of batches of tiles to read in parallel", min=1)] = 1,
) -> None:
    """Write the split of all tiles of the train and val scenes, and the statistics of the training tiles."""
    chosen = FitStatistics.from_json(settings)
    stores = {store.scene: store.path for store in map(check_store, pair)}
    index = pd.concat([read_tile_index(path) for path in tiles], ignore_index=True)
    table = assign_splits(index, dict(map(_scene_split, split)), chosen.splits, chosen.seed)
    training = index.merge(table.loc[table["split"] == "train", list(TILE_ID)])
    write_statistics(statistics, fit(stores, training, chosen.legend.names, threads))
    write_splits(splits, table)


def _scene_split(text: str) -> tuple[str, Split]:
    scene, _, name = text.partition("=")
    for known in SPLITS:
        if name == known:
            return scene, known
    raise SettingsError(f"--split {text!r}: expected scene=split with one of {', '.join(SPLITS)}")


if __name__ == "__main__":
    run(fit_statistics)
