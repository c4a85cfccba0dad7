"""Add a region's test scenes to the splits and audit them: how similar training and scored tiles are."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from clairemap.artefacts.audit import write_audit
from clairemap.artefacts.splits import read_splits, write_splits
from clairemap.artefacts.tiles import read_tile_index
from clairemap.console import run
from clairemap.model_folder import read_model
from clairemap.raster.store import check_store
from clairemap.stages import FitStatistics
from clairemap.tiles.leakage import audit_splits as audited
from clairemap.tiles.places import audit_start
from clairemap.tiles.split_assignment import add_test_scenes


def audit_splits(
    *,
    pair: Annotated[list[Path], typer.Option(help="pair.zarr of each training, validation and test scene (repeat)")],
    tiles: Annotated[list[Path], typer.Option(help="tiles.parquet of the same scenes (repeat)")],
    training_splits: Annotated[Path, typer.Option(help="training_splits.parquet, the splits used in training")],
    audit: Annotated[Path, typer.Option(help="audit of the region to write (JSON)")],
    splits: Annotated[Path, typer.Option(help="splits.parquet to write: the split of each tile")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.FitStatistics)")],
    test: Annotated[list[str] | None, typer.Option(help="name of a labelled test scene (repeat the option)")] = None,
    start_from: Annotated[Path | None, typer.Option(help="folder of the model that the training starts from")] = None,
) -> None:
    """Write the split of the tiles of the training scenes and of one region's test scenes, and the audit.

    A separate stage, so that a new test scene does not rerun training, and a stage per region, so that a test scene
    that fails does not stop other regions.
    """
    chosen = FitStatistics.from_json(settings)
    grids = {store.scene: store.geobox for store in map(check_store, pair)}
    index = pd.concat([read_tile_index(path) for path in tiles], ignore_index=True)
    table = add_test_scenes(read_splits(training_splits), index, test or ())
    found = audited(table, index, chosen.splits.method, grids)
    if start_from is not None:
        found = audit_start(found, table, grids, read_model(start_from, "training.start_from").origin)
    write_audit(audit, found)
    write_splits(splits, table)


if __name__ == "__main__":
    run(audit_splits)
