"""Card of a trained model: ``model.json`` describes the weights and the input they accept."""

import json
import operator
from collections.abc import Mapping
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

from clairemap.artefacts.acceptance import KeptResult
from clairemap.artefacts.document import DocumentModel, write_document
from clairemap.artefacts.statistics import ClassSignatures
from clairemap.artefacts.store_attributes import BandMoments, StoredSarScale
from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import BundleError, MissingFileError
from clairemap.settings import ALIGN_PX, NetworkSettings, Sensor

FORMAT = 2
"""Version of the card and of the network that the weights are for."""

CONFIDENCE_FROM_PCT = (0, 50, 60, 70, 80, 90)
"""Lower ends of the confidence bins of `ConfidenceRecord`, percent."""

_REMEDY = "delete it and run train_model again"


def _aligned(value: int) -> int:
    if value % ALIGN_PX:
        raise ValueError(f"{value} is not a multiple of {ALIGN_PX} px")
    return value


class BandScale(DocumentModel):
    """Bands of one sensor in order, with mean and standard deviation over the training pixels."""

    names: tuple[str, ...] = Field(min_length=1)
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[PositiveFloat, Field(allow_inf_nan=False)], ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not len(self.names) == len(self.mean) == len(self.std):
            raise ValueError(f"{len(self.names)} names, {len(self.mean)} means, {len(self.std)} standard deviations")
        return self

    def with_moments(self, moments: BandMoments) -> Self:
        """Return other moments for the same bands; a band without variation keeps its standard deviation."""
        std = tuple(found or own for found, own in zip(moments.std, self.std, strict=True))
        return self.model_copy(update={"mean": moments.mean, "std": std})


class TrainedOn(DocumentModel):
    """Training data."""

    scenes: tuple[str, ...]
    pixels: int = Field(ge=0, description="labelled pixels")
    class_px: tuple[Annotated[int, Field(ge=0)], ...] = Field((), description="labelled pixels of each class, in order")
    unseen_classes: tuple[str, ...] = Field(
        (), description="classes without training pixels: the network cannot map them"
    )
    validation_tiles: int = Field(0, ge=0, description="tiles used to select the step; 0: the last step is used")


class ParentModel(DocumentModel):
    """Model that the training started from, and what it took over."""

    weights_sha256: str
    kept_classes: tuple[str, ...] = Field(description="classes with the output weights of the model")
    new_classes: tuple[str, ...] = Field(description="classes with random output weights at the start")
    class_px: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="labelled pixels of each class in the trainings before, in order of the new classes"
    )
    statistics_from: Literal["model", "scenes"] = Field(description="band statistics for normalisation")


class UnseenScenes(DocumentModel):
    """Expected calibration errors (0..1) on scenes without training tiles.

    `ece_before` is their mean without temperature, `ece_mean` and `ece_worst` are those with the temperature of the
    other scenes.
    """

    scenes: int = Field(ge=1, description="number of these scenes")
    ece_before: float = Field(ge=0, le=1, allow_inf_nan=False)
    ece_mean: float = Field(ge=0, le=1, allow_inf_nan=False)
    ece_worst: float = Field(ge=0, le=1, allow_inf_nan=False)


class CalibrationFit(DocumentModel):
    """Calibration on the validation tiles, without and with the temperature.

    `ece_*` are expected calibration errors (0..1, 15 equal-width bins, Guo et al. 2017), `nll_*` mean negative
    log-likelihoods (nats per pixel). `*_after` are cross-fitted: each scene is scored with the temperature of the
    others, or each half of the tiles of a single scene with that of the other half. They are None if only one tile has
    labels.
    """

    ece_before: float = Field(ge=0, le=1, allow_inf_nan=False)
    ece_after: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    nll_before: float = Field(ge=0, allow_inf_nan=False)
    nll_after: float | None = Field(ge=0, allow_inf_nan=False)
    pixels: int = Field(ge=1, description="labelled pixels")
    tiles: int = Field(ge=1, description="validation tiles with these pixels")
    scenes: int | None = Field(None, ge=1, description="scenes of these tiles; null: unknown")
    unseen: UnseenScenes | None = Field(None, description="error on other scenes; null: unknown")


class ConfidenceRecord(DocumentModel):
    """How often validation pixels were right, by mapped class and confidence.

    A bin holds confidences from its lower end up to the next one's. The temperature was fitted to the same pixels.
    """

    from_pct: tuple[int, ...] = Field(CONFIDENCE_FROM_PCT, description="lower ends of the bins, percent")
    px: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = Field(description="pixels, (class, bin)")
    correct: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = Field(description="right ones, (class, bin)")


class Signatures(DocumentModel):
    """Values of each class in training, by sensor."""

    optical: ClassSignatures
    sar: ClassSignatures


class ModelCard(DocumentModel):
    """Everything needed to map a scene with the weights."""

    format: Literal[2] = Field(2, description="version of the card; others are rejected")
    stamp: dict[str, str] = Field(description="code and settings of the training")
    software: dict[str, str] = Field({}, description="versions of Python, torch and numpy in training, for information")
    network: NetworkSettings
    settings: dict[str, JsonValue] = Field({}, description="seed, loss, training, augmentation; empty if unknown")
    classes: tuple[LandCoverClass, ...] = Field(min_length=2, description="in the order of the logits")
    normalisation: Literal["training", "scene"] = Field(
        "training",
        exclude_if=lambda source: source == "training",
        description="moments that normalise the bands of a scene: those of the training tiles, or its own",
    )
    optical_bands: BandScale
    sar_bands: BandScale
    sar_scale: StoredSarScale = Field(description="dB, or digital numbers")
    optical_unit: str | None = Field(
        None, exclude_if=lambda unit: unit is None, description="unit of the optical values; null if unknown"
    )
    halo_px: Annotated[int, AfterValidator(_aligned)] = Field(
        ge=0, description="margin of a window affected by its edge"
    )
    halo_sigma: float = Field(
        ge=0, description="largest effect of the edge beyond the halo, in standard deviations of the logits"
    )
    core_bytes_per_px: float = Field(gt=0, description="memory of a forward pass, per core pixel")
    halo_bytes_per_px: float = Field(gt=0, description="memory of a forward pass, per halo pixel")
    temperature: float = Field(1.0, gt=0, description="divisor of the logits for calibrated probabilities")
    calibration: CalibrationFit | None = Field(None, description="quality of the temperature; null if not fitted")
    confidence_record: ConfidenceRecord | None = Field(
        None, exclude_if=lambda record: record is None, description="accuracy by class and confidence in validation"
    )
    signatures: Signatures | None = Field(
        None, exclude_if=lambda found: found is None, description="band values of each class in training"
    )
    trained_on: TrainedOn
    parent: ParentModel | None = Field(
        None, exclude_if=lambda parent: parent is None, description="model that the training started from"
    )
    best_step: int = Field(ge=0, description="step of the weights")
    weights_sha256: str = Field("", description="hash of the weights file, set by `nets.bundle.save_bundle`")
    accepted: tuple[KeptResult, ...] = Field(
        (),
        exclude_if=lambda kept: not kept,
        description="results kept in spite of a change of the code; only in the copies beside maps",
    )

    @property
    def legend(self) -> Legend:
        """Classes in the order of the logits."""
        return Legend(classes=self.classes)

    def with_moments(self, moments: Mapping[Sensor, BandMoments]) -> "ModelCard":
        """Return the card with a scene's band moments; a sensor without moments keeps those of the card."""
        scales: dict[Sensor, BandScale] = {"optical": self.optical_bands, "sar": self.sar_bands}
        found = {
            f"{sensor}_bands": scale.with_moments(moments[sensor])
            for sensor, scale in scales.items()
            if sensor in moments
        }
        return self.model_copy(update=found)

    @property
    def learnt_px(self) -> tuple[int, ...]:
        """Labelled pixels of each class in this training and in those that it started from."""
        return learnt_px(self.trained_on.class_px, self.parent)

    @property
    def has_earlier_px(self) -> bool:
        """Whether `learnt_px` has pixels of an earlier training."""
        return self.learnt_px != self.trained_on.class_px

    def named(self, legend: Legend) -> "ModelCard":
        """Return the card with the names of a legend, in which classes may have new names since the training.

        Raises:
            BundleError: the legend has other codes.
        """
        if legend.codes.tolist() != self.legend.codes.tolist():
            raise BundleError(
                f"the model has class codes {self.legend.codes.tolist()}, but the legend has {legend.codes.tolist()}; "
                "use the legend of the training, or train a model"
            )
        new = dict(zip(self.legend.names, legend.names, strict=True))
        unseen = tuple(new.get(name, name) for name in self.trained_on.unseen_classes)
        classes = tuple(LandCoverClass(code=c.code, name=c.name) for c in legend.classes)
        return self.model_copy(
            update={"classes": classes, "trained_on": self.trained_on.model_copy(update={"unseen_classes": unseen})}
        )


def learnt_px(class_px: tuple[int, ...], parent: ParentModel | None) -> tuple[int, ...]:
    """Return the labelled pixels of each class in a training and in those that it started from, as far as known."""
    if parent is None or not parent.class_px:
        return class_px
    return tuple(map(operator.add, class_px, parent.class_px))


def write_model_card(path: Path, card: ModelCard) -> None:
    """Write the card as JSON, atomically."""
    write_document(path, card)


def read_model_card(path: Path, remedy: str = _REMEDY) -> ModelCard:
    """Return the card of a trained model; `remedy` is what to do about a damaged one, for the message.

    Raises:
        MissingFileError: the file does not exist.
        BundleError: it is damaged or of another version; the message lists all faults.
    """
    try:
        content = path.read_bytes()
        return ModelCard.model_validate_json(content)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file; run train_model first") from None
    except OSError as error:
        raise BundleError(f"{path}: not a valid model card ({error.strerror or error}); {remedy}") from None
    except ValidationError as error:
        if other := _other_version(content):
            raise BundleError(f"{path}: not a valid model card ({other}); {remedy}") from None
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'file'}: {f['msg']}" for f in error.errors())
        raise BundleError(f"{path}: not a valid model card ({faults}); {remedy}") from None


def _other_version(content: bytes) -> str:
    """Return what is wrong with the version of a card; empty if it is this one, or unknown."""
    try:
        card = json.loads(content)
        version, written_by = card["format"], card.get("stamp", {}).get("clairemap_version", "another version")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    if version == FORMAT:
        return ""
    return f"format {version!r}, written by clairemap {written_by}, but this version reads format {FORMAT}"
