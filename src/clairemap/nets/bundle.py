"""The trained model as two files: weights (safetensors) and a card.

The card contains everything else that mapping needs: classes, bands with statistics, SAR scale, halo.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save

from clairemap.artefacts.model_card import ModelCard, read_model_card, write_model_card
from clairemap.errors import BundleError, MissingFileError
from clairemap.nets.claire import Claire
from clairemap.provenance import file_digest, written_whole


@dataclass(frozen=True)
class Bundle:
    """A trained network in evaluation mode, and its card."""

    network: Claire
    card: ModelCard

    def check_input(
        self, optical_names: Sequence[str], sar_names: Sequence[str], sar_scale: str, source: Path | str
    ) -> None:
        """Check that a scene has the bands and the SAR scale that the network was trained on.

        Raises:
            BundleError: it does not; the message lists all differences.
        """
        pairs = (
            ("optical bands", tuple(self.card.optical_bands.names), tuple(optical_names)),
            ("SAR bands", tuple(self.card.sar_bands.names), tuple(sar_names)),
            ("SAR scale", self.card.sar_scale, sar_scale),
        )
        faults = [f"{what}: trained on {known}, got {seen}" for what, known, seen in pairs if known != seen]
        if faults:
            raise BundleError(
                f"{source}: does not match the model. {'; '.join(faults)}. "
                "Use the sensor settings that the model was trained with, or train a model on these data."
            )


def build_network(card: ModelCard) -> Claire:
    """Return the network that the card describes, with random weights."""
    return Claire(len(card.optical_bands.names), len(card.sar_bands.names), len(card.classes), card.network)


def save_bundle(network: Claire, facts: ModelCard, weights: Path, card: Path) -> ModelCard:
    """Write the weights and then the card, both atomically; return the card with the hash of the weights.

    If the run is killed in between, loading fails: the hash on the old card does not match.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with written_whole(weights) as temporary:
        temporary.write_bytes(save(state))  # save_file writes a file that only its owner can read
        complete = facts.model_copy(update={"weights_sha256": file_digest(temporary)})
    write_model_card(card, complete)
    return complete


def load_bundle(weights: Path, card: Path, device: torch.device | str = "cpu") -> Bundle:
    """Return the trained network on a device, in evaluation mode.

    Raises:
        MissingFileError: one of the files does not exist.
        BundleError: a file is damaged, or the files do not belong together.
    """
    if not weights.is_file():
        raise MissingFileError(f"{weights}: no such file; run train_model first")
    facts = read_model_card(card)
    if (digest := file_digest(weights)) != facts.weights_sha256:
        raise BundleError(
            f"{weights}: SHA-256 {digest[:12]}… does not match {facts.weights_sha256[:12]}… in {card}: the file is "
            "damaged or from another training run; copy both files of one run, or run train_model again"
        )
    network = build_network(facts)
    _load_weights(network, weights)
    return Bundle(network.to(device).eval(), facts)


def _load_weights(network: Claire, weights: Path) -> None:
    try:
        network.load_state_dict(load_file(weights))
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{weights}: not the weights of the network on its card ({error}); copy both files of one run, or run "
            "train_model again"
        ) from None
