"""Write the sample sheet of a published data set."""

import difflib
import logging
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from clairemap.console import run
from clairemap.datasets.catalogue import known_datasets
from clairemap.datasets.listing import list_scenes, list_sheets
from clairemap.datasets.samples import complete
from clairemap.datasets.sheets import laid_out
from clairemap.errors import SettingsError

log = logging.getLogger("clairemap.list_dataset")

CONFIGS = Path(__file__).parents[2] / "config" / "datasets"


def list_dataset(
    *,
    dataset: Annotated[str, typer.Option(help="name of the data set: a file name in config/datasets, without .yaml")],
    folder: Annotated[Path, typer.Option(help="folder of the data; docs/datasets.md shows its layout")],
    sheet: Annotated[Path, typer.Option(help="sample sheet to write; chips.csv and virtual rasters go beside it")],
    on_missing: Annotated[
        Literal["error", "leave_out"], typer.Option(help="what to do with incomplete samples")
    ] = "error",
) -> None:
    """Write one row per scene, or per sheet of chips, with the official split if there is one."""
    known = known_datasets(CONFIGS)
    if dataset not in known:
        closest = difflib.get_close_matches(dataset, known, n=1)
        raise SettingsError(
            f"--dataset {dataset!r}: unknown data set"
            + (f" (did you mean {closest[0]!r}?)" if closest else f" (known: {', '.join(known)})")
        )
    samples = complete(known[dataset].samples(folder), leave_out=on_missing == "leave_out")
    chip_px = known[dataset].chip_px
    if chip_px is None:
        list_scenes(samples, sheet)
    else:
        sheets = laid_out(samples, chip_px)
        list_sheets(sheets, sheet)
        log.info("%s: %d chips of %d px in %d sheets", dataset, len(samples), chip_px, len(sheets))
    splits = Counter(sample.split for sample in samples)
    log.info("%s: %s; %s", sheet, ", ".join(f"{count} {split}" for split, count in splits.items()), folder)


if __name__ == "__main__":
    run(list_dataset)
