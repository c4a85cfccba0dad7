"""The initial network, its optimiser, and the card of the trained network."""

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from clairemap.artefacts.model_card import ModelCard, learnt_px
from clairemap.artefacts.statistics import ClassSignatures
from clairemap.metrics.class_support import unseen_classes
from clairemap.nets.claire import Claire
from clairemap.nets.halo import measured_halo_px
from clairemap.nets.memory import working_memory
from clairemap.nets.pretrained import load_initial_weights
from clairemap.settings import TrainingSettings
from clairemap.training.calibration import Temperature
from clairemap.training.job import TrainingJob
from clairemap.training.start import load_start, parent_model

SETTINGS_ELSEWHERE = frozenset({"network", "legend"})
"""Sections with their own keys on the card; its `settings` has the others, without what does not affect weights."""


def new_network(job: TrainingJob) -> Claire:
    """Return the network with random weights from the seed, from files of initial weights, or from a trained model.

    Raises:
        SettingsError, MissingFileError, UnreadableFileError, BundleError: see `pretrained.load_initial_weights`.
    """
    torch.manual_seed(int.from_bytes(hashlib.sha256(f"{job.settings.seed}:weights".encode()).digest()[:7]))
    optical, sar = len(job.statistics.optical.bands), len(job.statistics.sar.bands)
    network = Claire(optical, sar, len(job.statistics.class_px), job.settings.network)
    if job.settings.training.start_from is not None:
        load_start(network, job, Path(job.settings.training.start_from))
    load_initial_weights(network, job.initial_weights.get("optical"), job.initial_weights.get("sar"))
    return network


def new_optimiser(network: Claire, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return AdamW, in fused kernels; biases, norms and scales are not decayed."""
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def software() -> dict[str, str]:
    """Return the versions of the libraries that affect the weights' last bits."""
    return {"python": platform.python_version(), "torch": str(torch.__version__), "numpy": np.__version__}


def model_card(
    job: TrainingJob,
    network: Claire,
    step: int,
    validation_tiles: int,
    temperature: Temperature,
    stamp: Mapping[str, str],
) -> ModelCard:
    """Return the card of a trained network; its halo is measured here.

    Args:
        job: data and settings of the training.
        network: with the weights to keep.
        step: 1-based step that gave these weights.
        validation_tiles: number of tiles that selected it; 0 for the last step.
        temperature: of the network.
        stamp: provenance of the run.
    """
    halo_px, halo_sigma = measured_halo_px(network)
    parent = None if job.start_card is None else parent_model(job, job.start_card)
    unseen = unseen_classes(learnt_px(job.statistics.class_px, parent))
    memory = working_memory(job.settings.network.size, len(job.settings.legend.classes))
    return ModelCard.model_validate(
        {
            "stamp": dict(stamp),
            "software": software(),
            "network": job.settings.network,
            "settings": {key: value for key, value in job.settings.relevant().items() if key not in SETTINGS_ELSEWHERE},
            "classes": job.settings.legend.classes,
            "normalisation": job.settings.training.normalisation,
            "optical_bands": job.scales.optical,
            "sar_bands": job.scales.sar,
            "sar_scale": job.statistics.sar_scale,
            "optical_unit": job.statistics.optical_unit,
            "halo_px": halo_px,
            "halo_sigma": halo_sigma,
            "core_bytes_per_px": memory.core,
            "halo_bytes_per_px": memory.halo,
            "temperature": temperature.value,
            "calibration": temperature.fit,
            "confidence_record": temperature.record,
            "signatures": _signatures(job),
            "trained_on": {
                "scenes": job.statistics.scenes,
                "pixels": sum(job.statistics.class_px),
                "class_px": job.statistics.class_px,
                "unseen_classes": [job.settings.legend.classes[index].name for index in unseen],
                "validation_tiles": validation_tiles,
            },
            "parent": parent,
            "best_step": step,
        }
    )


def _signatures(job: TrainingJob) -> dict[str, ClassSignatures] | None:
    """Return the signatures of the classes; None if scenes are normalised by their own moments, which they ignore."""
    if job.settings.training.normalisation == "scene":
        return None
    optical, sar = job.statistics.optical_signatures, job.statistics.sar_signatures
    return None if optical is None or sar is None else {"optical": optical, "sar": sar}
