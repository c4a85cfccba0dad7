"""Pack the trained model in a folder to share it: weights, card, origin, radiometry, README, start of a project."""

import datetime
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.audit import read_audit
from clairemap.artefacts.metrics import read_metrics
from clairemap.artefacts.model_card import read_model_card
from clairemap.artefacts.origin import Origin, RegionAccuracy, write_origin
from clairemap.artefacts.splits import read_splits
from clairemap.console import run
from clairemap.errors import SettingsError
from clairemap.model_folder import read_model
from clairemap.outputs import BundleFolder, ModelFolder
from clairemap.provenance import stamp, write_text_whole, written_whole
from clairemap.raster.store import check_store
from clairemap.report.bundle_texts import accuracy_of, readme, sheet_start, start_config
from clairemap.settings import SensorsSettings
from clairemap.stages import PackBundle
from clairemap.tiles.places import training_places, with_places_of_start

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""Date of all files in the .zip: equal contents give equal files."""


def pack_bundle(
    *,
    model: Annotated[Path, typer.Option(help="folder of the trained model, work/model")],
    pair: Annotated[list[Path], typer.Option(help="pair.zarr of each labelled train and val scene (repeat)")],
    bundle: Annotated[Path, typer.Option(help="folder to write")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.PackBundle)")],
    metrics: Annotated[list[Path] | None, typer.Option(help="metrics.json of each labelled region (repeat)")] = None,
    dates: Annotated[list[str] | None, typer.Option(help="date of a scene, as scene=2026-11-22 (repeat)")] = None,
    start_from: Annotated[Path | None, typer.Option(help="folder of the model that the training started from")] = None,
) -> None:
    """Write the folder, and the .zip if the settings ask for it."""
    chosen = PackBundle.from_json(settings)
    trained, files = ModelFolder(model), BundleFolder(bundle)
    card = read_model_card(trained.card)
    grids = {store.scene: store.geobox for store in map(check_store, pair)}
    start = None if start_from is None else read_model(start_from, "training.start_from").origin
    places = training_places(read_splits(trained.training_splits), grids, _dates(dates or ()))
    origin = Origin(
        weights_sha256=card.weights_sha256,
        legend=chosen.legend,
        # What to do with a scene of other values is decided by who maps it.
        sensors=chosen.sensors.model_copy(update={"on_mismatch": SensorsSettings().on_mismatch}),
        split_method=chosen.splits.method,
        places=with_places_of_start(places, start),
        places_are_complete=start is None or (bool(start.places) and start.places_are_complete),
        accuracy=tuple(_accuracies(metrics or [], trained)),
        labels_product=chosen.labels.product,
        licence=chosen.bundle.licence,
        stamp=stamp("pack_bundle", settings),
    )
    for name in ("weights", "card", "radiometry", "statistics"):
        with written_whole(getattr(files.model, name)) as temporary:
            shutil.copyfile(getattr(trained, name), temporary)
    write_origin(files.model.origin, origin)
    write_text_whole(files.config, start_config(files.folder.name, chosen))
    write_text_whole(files.sheet, sheet_start())
    write_text_whole(files.readme, readme(card.named(chosen.legend), origin, files.folder.name))
    if chosen.bundle.zip:
        with written_whole(files.zip_file) as temporary:
            _zip(files, temporary)


def _accuracies(paths: list[Path], trained: ModelFolder) -> Iterator[RegionAccuracy]:
    for path in sorted(paths):
        metrics = read_metrics(path)
        yield accuracy_of(metrics, read_audit(trained.audit_of(metrics.region)))


def _dates(given: list[str] | tuple[()]) -> dict[str, list[datetime.date]]:
    found: dict[str, list[datetime.date]] = {}
    for text in given:
        scene, _, day = text.partition("=")
        try:
            found.setdefault(scene, []).append(datetime.date.fromisoformat(day))
        except ValueError:
            raise SettingsError(f"--dates {text!r}: expected scene=YYYY-MM-DD") from None
    return found


def _zip(files: BundleFolder, target: Path) -> None:
    """Write all files of the folder to a .zip; the weights are stored, since they do not compress."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in files.files:
            entry = zipfile.ZipInfo(f"{files.folder.name}/{path.name}", ZIP_DATE)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if path == files.model.weights else zipfile.ZIP_DEFLATED
            with path.open("rb") as content, archive.open(entry, "w", force_zip64=True) as inside:
                shutil.copyfileobj(content, inside)


if __name__ == "__main__":
    run(pack_bundle)
