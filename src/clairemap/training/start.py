"""Weights and band scales of a trained model to fine-tune (`training.start_from`)."""

import logging
from pathlib import Path

import torch

from clairemap.artefacts.model_card import ModelCard, ParentModel
from clairemap.errors import BundleError
from clairemap.model_folder import read_model
from clairemap.nets.bundle import load_bundle
from clairemap.nets.claire import Claire
from clairemap.training.job import TrainingJob

log = logging.getLogger(__name__)

HEAD = ("decoder.head.weight", "decoder.head.bias")
"""Parameters of the output layer: one row per class."""


def load_start(network: Claire, job: TrainingJob, folder: Path) -> None:
    """Load the weights of a model; classes of other names keep the random weights of their outputs.

    Raises:
        MissingFileError: a file of the model is missing.
        BundleError: a file is damaged, the files do not belong together, or bands or network differ.
    """
    given = read_model(folder, "training.start_from")
    ours, theirs = job.settings.network, given.card.network
    if (ours.size, ours.fusion) != (theirs.size, theirs.fusion):
        raise BundleError(
            f"training.start_from: {folder} has network.size {theirs.size} and network.fusion {theirs.fusion}, but the "
            f"settings have {ours.size} and {ours.fusion}: use those of the model"
        )
    if job.settings.training.normalisation != given.card.normalisation:
        raise BundleError(
            f"training.start_from: {folder} has training.normalisation {given.card.normalisation}, but the settings "
            f"have {job.settings.training.normalisation}: use that of the model"
        )
    bundle = load_bundle(given.files.weights, given.files.card)
    optical, sar = job.statistics.optical.bands, job.statistics.sar.bands
    bundle.check_input(optical, sar, job.statistics.sar_scale, "training.start_from")
    weights, own = bundle.network.state_dict(), network.state_dict()
    names = tuple(c.name for c in job.settings.legend.classes)
    known = {c.name: index for index, c in enumerate(bundle.card.classes)}
    for name in HEAD:
        rows = [weights[name][known[c]] if c in known else own[name][index] for index, c in enumerate(names)]
        weights[name] = torch.stack(rows)
    network.load_state_dict(weights)
    parent = parent_model(job, bundle.card)
    log.info(
        "training starts from %s (weights %s…): classes with its output weights: %s; new classes: %s; band statistics "
        "of the %s",
        *(folder, parent.weights_sha256[:12], ", ".join(parent.kept_classes) or "none"),
        *(", ".join(parent.new_classes) or "none", "model" if parent.statistics_from == "model" else "new scenes"),
    )


def parent_model(job: TrainingJob, card: ModelCard) -> ParentModel:
    """Return what the card of the new model has about the model that it started from."""
    known = {c.name for c in card.classes}
    names = [c.name for c in job.settings.legend.classes]
    px = dict(zip((c.name for c in card.classes), card.learnt_px, strict=False))
    return ParentModel(
        weights_sha256=card.weights_sha256,
        kept_classes=tuple(name for name in names if name in known),
        new_classes=tuple(name for name in names if name not in known),
        class_px=tuple(px.get(name, 0) for name in names) if px else (),
        statistics_from="scenes" if job.uses_own_statistics else job.settings.training.statistics_from,
    )
