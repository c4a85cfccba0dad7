"""The network as training begins, its optimiser, and its card when training is over."""

import hashlib
from collections.abc import Mapping

import torch

from clairemap.artefacts.model_card import ModelCard
from clairemap.metrics.class_support import unseen_classes
from clairemap.nets.claire import Claire, device_of
from clairemap.nets.halo import measured_halo_px
from clairemap.nets.memory import working_memory
from clairemap.nets.pretrained import load_initial_weights
from clairemap.settings import TrainingSettings
from clairemap.training.calibration import Temperature
from clairemap.training.job import WITHOUT_EFFECT, TrainingJob

RECORDED_ELSEWHERE: dict[str, bool | set[str]] = {"network": True, "legend": True, **WITHOUT_EFFECT}
"""Settings that a card doesn't repeat, or that the weights don't depend on."""


def new_network(job: TrainingJob) -> Claire:
    """Return the network with weights drawn from the settings' seed, or read where the settings name files.

    Raises:
        SettingsError, MissingFileError, UnreadableFileError, BundleError: a file of initial weights doesn't fit; see
            `pretrained.load_initial_weights`.
    """
    torch.manual_seed(int.from_bytes(hashlib.sha256(f"{job.settings.seed}:weights".encode()).digest()[:7]))
    optical, sar = len(job.statistics.optical.bands), len(job.statistics.sar.bands)
    network = Claire(optical, sar, len(job.statistics.class_px), job.settings.network)
    load_initial_weights(network, job.initial_weights.get("optical"), job.initial_weights.get("sar"))
    return network


def new_optimiser(network: Claire, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return AdamW; biases, norms and scales are not decayed. On a GPU all weights are updated by fused kernels."""
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    fused = True if device_of(network).type == "cuda" else None
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=fused)


def model_card(
    job: TrainingJob,
    network: Claire,
    step: int,
    validation_tiles: int,
    temperature: Temperature,
    stamp: Mapping[str, str],
) -> ModelCard:
    """Return the card of a trained network, in evaluation mode; its halo is measured.

    Args:
        job: what it was trained on.
        network: with the weights of a step.
        step: that step, counted from 1.
        validation_tiles: tiles that chose it; 0 if it is the last.
        temperature: fitted to it.
        stamp: of the run.
    """
    halo_px, halo_sigma = measured_halo_px(network)
    memory = working_memory(job.settings.network.size, len(job.settings.legend.classes))
    return ModelCard.model_validate(
        {
            "stamp": dict(stamp),
            "network": job.settings.network,
            "settings": job.settings.model_dump(mode="json", exclude=RECORDED_ELSEWHERE),
            "classes": job.settings.legend.classes,
            "optical_bands": job.scales.optical,
            "sar_bands": job.scales.sar,
            "sar_scale": job.statistics.sar_scale,
            "halo_px": halo_px,
            "halo_sigma": halo_sigma,
            "core_bytes_per_px": memory.core,
            "halo_bytes_per_px": memory.halo,
            "temperature": temperature.value,
            "calibration": temperature.fit,
            "trained_on": {
                "scenes": job.statistics.scenes,
                "pixels": sum(job.statistics.class_px),
                "class_px": job.statistics.class_px,
                "unseen_classes": [
                    job.settings.legend.classes[index].name for index in unseen_classes(job.statistics.class_px)
                ],
                "validation_tiles": validation_tiles,
            },
            "best_step": step,
        }
    )
