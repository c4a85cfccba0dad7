"""Copy a model from another project, and check that its files belong together."""

import shutil
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from clairemap.artefacts.document import parse_document
from clairemap.artefacts.origin import write_origin
from clairemap.artefacts.radiometry import TrainingRadiometry, write_radiometry
from clairemap.artefacts.statistics import TrainingStatistics, write_statistics
from clairemap.console import run, warn
from clairemap.errors import BundleError
from clairemap.model_folder import REMEDY, read_model, statistics_of
from clairemap.outputs import ModelFolder
from clairemap.provenance import file_digest, written_whole

SUFFIX = " (training)"
"""Follows the names of training scenes: a scene of this project may have the same name."""

Document = TypeVar("Document")


def copy_model(
    *,
    given: Annotated[Path, typer.Option(help="folder of the model: model.safetensors, model.json and others")],
    model: Annotated[Path, typer.Option(help="folder to write")],
) -> None:
    """Write the model's files; those that the folder lacks are made from the card, with a warning.

    Raises:
        MissingFileError: weights or card are missing.
        BundleError: a file is damaged, or the files are of different models.
    """
    source, target = read_model(given, "model"), ModelFolder(model)
    files = source.files
    with written_whole(target.weights) as temporary:
        shutil.copyfile(files.weights, temporary)
        if (digest := file_digest(temporary)) != source.card.weights_sha256:
            raise BundleError(
                f"{files.weights}: SHA-256 {digest[:12]}… does not match {source.card.weights_sha256[:12]}… in "
                f"{files.card}: the file is damaged, or the two are from different models; {REMEDY}"
            )
    with written_whole(target.card) as temporary:
        shutil.copyfile(files.card, temporary)
    write_origin(target.origin, source.origin)
    write_radiometry(target.radiometry, _renamed(_read(files.radiometry, TrainingRadiometry)))
    write_statistics(target.statistics, _read(files.statistics, TrainingStatistics) or statistics_of(source.card))
    if not files.origin.exists():
        warn(f"{files.origin}: no such file: colours, places and accuracy of the model are not known; {REMEDY}")
    if not files.radiometry.exists():
        warn(
            f"{files.radiometry}: no such file: scenes cannot be compared with the values of the training scenes; "
            f"{REMEDY}"
        )


def _read(path: Path, document: type[Document]) -> Document | None:
    if not path.exists():
        return None
    try:
        return parse_document(path, document)
    except ValueError as error:
        raise BundleError(f"{path}: damaged, or of another version ({error}); {REMEDY}") from None


def _renamed(known: TrainingRadiometry | None) -> TrainingRadiometry:
    """Return the radiometry with names that no scene of a sheet can have: scenes are not compared with themselves."""
    scenes = () if known is None else known.scenes
    return TrainingRadiometry(
        scenes=tuple(scene.model_copy(update={"scene": f"{scene.scene}{SUFFIX}"}) for scene in scenes)
    )


if __name__ == "__main__":
    run(copy_model)
