"""Origin of a shared model: ``origin.json``, beside the card, for projects that did not train it."""

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from clairemap.artefacts.document import DocumentModel, first_fault, write_document
from clairemap.errors import BundleError, MissingFileError
from clairemap.settings import LegendSettings, SensorsSettings

PlaceSplit = Literal["train", "val"]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class TrainingPlace(DocumentModel):
    """Labelled tiles of one scene that were used for training or validation.

    `outline` is a GeoJSON geometry in degrees (WGS 84); None if the scene has no CRS.
    """

    scene: str
    split: PlaceSplit
    dates: tuple[datetime.date, ...]
    tiles: int = Field(ge=0)
    outline: dict[str, Any] | None


class ClassAccuracy(DocumentModel):
    """Accuracy of one class (0..1, None if undefined) and its labelled pixels."""

    name: str
    iou: Share | None
    f1: Share | None
    truth_px: int = Field(ge=0)


class RegionAccuracy(DocumentModel):
    """Accuracy on the labelled tiles of one region, from its ``metrics.json``; `split` is that of the tiles.

    `labels_product` is the land-cover product that the labels come from; None: they are ground truth.
    """

    region: str
    split: str
    miou: Share | None
    oa: Share | None
    ece: Share | None
    pixels: int = Field(ge=0)
    tiles: int = Field(ge=0)
    classes: tuple[ClassAccuracy, ...]
    cautions: tuple[str, ...] = ()
    labels_product: str | None = None


class Origin(DocumentModel):
    """What the card does not have: colours, sensor settings, places and dates of the training, accuracy, licence.

    `places` and `accuracy` are empty if they are not known; `places` has also those of the model that the training
    started from. `labels_product` is the land-cover product that the labels
    of the training come from; None: they are ground truth, or it is not known.
    """

    format: Literal[1] = Field(1, description="version of the file; others are rejected")
    weights_sha256: str = Field(description="hash of the weights that the file belongs to")
    legend: LegendSettings
    sensors: SensorsSettings
    split_method: str | None = Field(None, description="setting splits.method of the training; null if unknown")
    places: tuple[TrainingPlace, ...] = ()
    places_are_complete: bool = Field(
        True,
        exclude_if=bool,
        description="false: the training started from a model whose places of training are not known",
    )
    accuracy: tuple[RegionAccuracy, ...] = ()
    labels_product: str | None = None
    licence: str | None = None
    stamp: dict[str, str] = Field({}, description="code that packed the model")


def write_origin(path: Path, origin: Origin) -> None:
    """Write the origin as JSON, atomically; equal origins give equal files."""
    write_document(path, origin)


def read_origin(path: Path) -> Origin:
    """Return the origin of a model.

    Raises:
        MissingFileError: the file does not exist.
        BundleError: it is damaged or of another version.
    """
    try:
        return Origin.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; copy the model's folder again") from None
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = first_fault(error)
    raise BundleError(
        f"{path}: not a valid origin of a model ({reason}); copy the model's folder again, or use the version of "
        "clairemap that wrote it"
    )
