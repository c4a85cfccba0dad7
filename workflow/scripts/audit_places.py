"""Compare a region's test scenes with the places where a given model was trained."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from clairemap.artefacts.audit import write_audit
from clairemap.artefacts.origin import read_origin
from clairemap.artefacts.splits import SPLIT_COLUMNS, write_splits
from clairemap.artefacts.tiles import read_tile_index
from clairemap.console import run
from clairemap.raster.store import check_store
from clairemap.tiles.places import audit_places as audited
from clairemap.tiles.split_assignment import add_test_scenes


def audit_places(
    *,
    origin: Annotated[Path, typer.Option(help="origin.json of the model")],
    audit: Annotated[Path, typer.Option(help="audit of the region to write (JSON)")],
    splits: Annotated[Path, typer.Option(help="splits.parquet to write: the split of each tile")],
    pair: Annotated[list[Path] | None, typer.Option(help="pair.zarr of each labelled test scene (repeat)")] = None,
    tiles: Annotated[list[Path] | None, typer.Option(help="tiles.parquet of the same scenes (repeat)")] = None,
) -> None:
    """Write the splits of the region's test scenes, and the audit: overlap with the training of the model."""
    grids = {store.scene: store.geobox for store in map(check_store, pair or ())}
    table = pd.DataFrame(columns=list(SPLIT_COLUMNS))
    if tiles:
        index = pd.concat([read_tile_index(path) for path in tiles], ignore_index=True)
        table = add_test_scenes(table, index, tuple(grids))
    write_audit(audit, audited(table, grids, read_origin(origin)))
    write_splits(splits, table)


if __name__ == "__main__":
    run(audit_places)
