"""The trained model as two files: weights (safetensors) and a card that says what they are and fit to.

The card holds all that mapping a scene needs besides the weights: classes, bands with their statistics, the scale of
the SAR values, the halo. So a model is mapped with what it was trained with, or refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import safetensors
import torch
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    JsonValue,
    PositiveFloat,
    ValidationError,
    model_validator,
)
from safetensors.torch import load_file, save
from torch import Tensor

from clairemap.classes import LandCoverClass, Legend
from clairemap.errors import BundleError, MissingFileError
from clairemap.nets.claire import Claire
from clairemap.nets.normalisation import normalise
from clairemap.provenance import file_digest, write_text_whole, written_whole
from clairemap.settings import ALIGN_PX, NetworkSettings

SarScale = Literal["db", "digital"]


def _aligned(value: int) -> int:
    if value % ALIGN_PX:
        raise ValueError(f"{value} is no multiple of {ALIGN_PX} px")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BandScale(_Part):
    """The bands of one sensor in order, with mean and standard deviation over the training pixels."""

    names: tuple[str, ...] = Field(min_length=1)
    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[PositiveFloat, Field(allow_inf_nan=False)], ...]

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if not len(self.names) == len(self.mean) == len(self.std):
            raise ValueError(f"{len(self.names)} names, {len(self.mean)} means, {len(self.std)} deviations")
        return self

    def normalise(self, values: Tensor) -> Tensor:
        """Return the network's input for band values (B, C, H, W): see `normalisation.normalise`."""
        return normalise(values, self.mean, self.std)


class TrainedOn(_Part):
    """The training data."""

    scenes: tuple[str, ...]
    pixels: int = Field(ge=0, description="pixels with a label")
    class_px: tuple[Annotated[int, Field(ge=0)], ...] = Field((), description="of each class, in their order")
    unseen_classes: tuple[str, ...] = Field((), description="without any pixel: the network does not know them")
    validation_tiles: int = Field(0, ge=0, description="tiles that chose the step; 0: the last step's weights are kept")


class CalibrationFit(_Part):
    """How well confidences fit the labels of the validation tiles, without and with the temperature.

    `ece_*` are expected calibration errors (0..1, 15 bins of equal width, Guo et al. 2017), `nll_*` mean negative log
    likelihoods (nats for each pixel). Those after are cross-fitted: each half of the tiles is scored with the
    temperature of the other half. They are None if only one tile has labels, since there is no other half.
    """

    ece_before: float = Field(ge=0, le=1, allow_inf_nan=False)
    ece_after: float | None = Field(ge=0, le=1, allow_inf_nan=False)
    nll_before: float = Field(ge=0, allow_inf_nan=False)
    nll_after: float | None = Field(ge=0, allow_inf_nan=False)
    pixels: int = Field(ge=1, description="labelled pixels that were looked at")
    tiles: int = Field(ge=1, description="validation tiles that they lie in")


class BundleCard(_Part):
    """What a model's weights are."""

    format: Literal[1] = Field(1, description="version of this card; cards of another are refused")
    stamp: dict[str, str] = Field(description="the code and settings that trained it")
    network: NetworkSettings
    settings: dict[str, JsonValue] = Field({}, description="seed, loss, training, augmentation; empty if unknown")
    classes: tuple[LandCoverClass, ...] = Field(min_length=2, description="in the order of the logits")
    optical_bands: BandScale
    sar_bands: BandScale
    sar_scale: SarScale = Field(description="dB, or digital numbers as delivered")
    halo_px: Annotated[int, AfterValidator(_aligned)] = Field(ge=0, description="margin where a cut can be felt")
    halo_sigma: float = Field(ge=0, description="largest effect of a cut beyond it, in deviations of the logits")
    core_bytes_per_px: float = Field(gt=0, description="memory of a run, for each pixel of a window that is kept")
    halo_bytes_per_px: float = Field(gt=0, description="memory of a run, for each of the others")
    temperature: float = Field(1.0, gt=0, description="divide logits by it for calibrated probabilities")
    calibration: CalibrationFit | None = Field(None, description="of that temperature; null if it wasn't fitted")
    trained_on: TrainedOn
    best_step: int = Field(ge=0, description="the step whose weights these are")
    weights_sha256: str = Field("", description="hash of the weights' file; `save_bundle` fills it in")

    @property
    def legend(self) -> Legend:
        """The classes in the order of the logits."""
        return Legend(classes=self.classes)


@dataclass(frozen=True)
class Bundle:
    """A trained network, in evaluation mode, with its card."""

    network: Claire
    card: BundleCard

    def check_input(
        self, optical_names: Sequence[str], sar_names: Sequence[str], sar_scale: str, source: Path | str
    ) -> None:
        """Check that a scene has the bands and the SAR scale that the network was trained on.

        Raises:
            BundleError: it has others; the text lists all differences.
        """
        pairs = (
            ("optical bands", tuple(self.card.optical_bands.names), tuple(optical_names)),
            ("SAR bands", tuple(self.card.sar_bands.names), tuple(sar_names)),
            ("SAR scale", self.card.sar_scale, sar_scale),
        )
        faults = [f"{what}: trained on {known}, got {seen}" for what, known, seen in pairs if known != seen]
        if faults:
            raise BundleError(
                f"{source} doesn't fit the model. {'; '.join(faults)}. "
                "Give the model the sensors' settings that it was trained with, or train one on these data."
            )


def build_network(card: BundleCard) -> Claire:
    """Return the card's network with random weights."""
    return Claire(len(card.optical_bands.names), len(card.sar_bands.names), len(card.classes), card.network)


def save_bundle(network: Claire, facts: BundleCard, weights: Path, card: Path) -> BundleCard:
    """Write the weights and then their card, each whole or not at all; return the card with the weights' hash.

    A run that is killed in between leaves weights that the old card refuses, never a card without its weights.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with written_whole(weights) as temporary:
        temporary.write_bytes(save(state))  # save_file would leave a file that only its owner may read
        complete = facts.model_copy(update={"weights_sha256": file_digest(temporary)})
    write_text_whole(card, complete.model_dump_json(indent=1) + "\n")
    return complete


def load_bundle(weights: Path, card: Path, device: torch.device | str = "cpu") -> Bundle:
    """Return the trained network on a device, in evaluation mode.

    Raises:
        MissingFileError: one of the files does not exist.
        BundleError: a file is damaged, or they don't belong together.
    """
    for path in (weights, card):
        if not path.is_file():
            raise MissingFileError(f"{path}: the model's file does not exist. Run train_model first.")
    facts = read_card(card)
    if (digest := file_digest(weights)) != facts.weights_sha256:
        raise BundleError(
            f"{weights} has SHA-256 {digest[:12]}…, but {card} says {facts.weights_sha256[:12]}…: damaged, or of "
            "another training. Copy both files of one training, or train again."
        )
    network = build_network(facts)
    _load_weights(network, weights)
    return Bundle(network.to(device).eval(), facts)


def read_card(card: Path) -> BundleCard:
    """Return the card alone.

    Raises:
        BundleError: it is damaged or of another version.
    """
    try:
        return BundleCard.model_validate_json(card.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc'])) or 'file'}: {f['msg']}" for f in error.errors())
        raise BundleError(f"{card} is no model card that this version reads: {faults}. Train again.") from None


def _load_weights(network: Claire, weights: Path) -> None:
    try:
        network.load_state_dict(load_file(weights))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise BundleError(f"{weights} doesn't hold the weights of the network on its card: {error}") from None
