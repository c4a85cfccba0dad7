"""The card of a trained model as a file, ``model.json``: what its weights are and fit to."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    FiniteFloat,
    JsonValue,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from clairemap.artefacts.document import Part, write_document
from clairemap.artefacts.store_attributes import StoredSarScale
from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import BundleError, MissingFileError
from clairemap.settings import ALIGN_PX, NetworkSettings


def _aligned(value: int) -> int:
    if value % ALIGN_PX:
        raise ValueError(f"{value} is not a multiple of {ALIGN_PX} px")
    return value


class BandScale(Part):
    """The bands of one sensor in order, with mean and standard deviation over the training pixels."""

    names: tuple[str, ...] = Field(min_length=1)
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[PositiveFloat, Field(allow_inf_nan=False)], ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not len(self.names) == len(self.mean) == len(self.std):
            raise ValueError(f"{len(self.names)} names, {len(self.mean)} means, {len(self.std)} deviations")
        return self


class TrainedOn(Part):
    """The training data."""

    scenes: tuple[str, ...]
    pixels: int = Field(ge=0, description="pixels with a label")
    class_px: tuple[Annotated[int, Field(ge=0)], ...] = Field((), description="of each class, in their order")
    unseen_classes: tuple[str, ...] = Field((), description="without any pixel: the network does not know them")
    validation_tiles: int = Field(0, ge=0, description="tiles that chose the step; 0: the last step's weights are kept")


class CalibrationFit(Part):
    """How well confidences fit the labels of the validation tiles, without and with the temperature.

    `ece_*` are expected calibration errors (0..1, 15 bins of equal width, Guo et al. 2017), `nll_*` mean negative log
    likelihoods (nats for each pixel). Those after are cross-fitted: each half of the tiles is scored with the
    temperature of the other half. They are None if only one tile has labels, since there is no other half.
    """

    ece_before: float = Field(ge=0, le=1, allow_inf_nan=False)
    ece_after: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    nll_before: float = Field(ge=0, allow_inf_nan=False)
    nll_after: float | None = Field(ge=0, allow_inf_nan=False)
    pixels: int = Field(ge=1, description="labelled pixels")
    tiles: int = Field(ge=1, description="validation tiles with these pixels")


class ModelCard(Part):
    """What the weights are, and all that is needed to map a scene with them."""

    format: Literal[1] = Field(1, description="version of this card; cards of other versions are refused")
    stamp: dict[str, str] = Field(description="the code and settings that trained it")
    network: NetworkSettings
    settings: dict[str, JsonValue] = Field({}, description="seed, loss, training, augmentation; empty if unknown")
    classes: tuple[LandCoverClass, ...] = Field(min_length=2, description="in the order of the logits")
    optical_bands: BandScale
    sar_bands: BandScale
    sar_scale: StoredSarScale = Field(description="dB, or digital numbers as delivered")
    halo_px: Annotated[int, AfterValidator(_aligned)] = Field(ge=0, description="margin in which a cut has an effect")
    halo_sigma: float = Field(ge=0, description="largest effect of a cut beyond it, in deviations of the logits")
    core_bytes_per_px: float = Field(gt=0, description="memory of a run, for each pixel of a window that is kept")
    halo_bytes_per_px: float = Field(gt=0, description="memory of a run, for each of the others")
    temperature: float = Field(1.0, gt=0, description="divide logits by it for calibrated probabilities")
    calibration: CalibrationFit | None = Field(None, description="of that temperature; null if it wasn't fitted")
    trained_on: TrainedOn
    best_step: int = Field(ge=0, description="the step whose weights these are")
    weights_sha256: str = Field("", description="hash of the weights' file; `nets.bundle.save_bundle` fills it in")

    @property
    def legend(self) -> Legend:
        """The classes in the order of the logits."""
        return Legend(classes=self.classes)


def write_model_card(path: Path, card: ModelCard) -> None:
    """Write the card as JSON, whole or not at all."""
    write_document(path, card)


def read_model_card(path: Path) -> ModelCard:
    """Return the card of a trained model.

    Raises:
        MissingFileError: the file does not exist.
        BundleError: it is damaged or of another version; the text lists all faults.
    """
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MissingFileError(f"{path}: the model's card does not exist. Run train_model first.") from None
    except OSError as error:
        raise BundleError(f"{path} can't be read: {error.strerror or error}. Train again.") from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'file'}: {f['msg']}" for f in error.errors())
        raise BundleError(f"{path} is not a model card that this version reads: {faults}. Train again.") from None
