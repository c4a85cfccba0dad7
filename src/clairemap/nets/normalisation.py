"""Normalisation of band values to zero mean and unit standard deviation over the training pixels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from clairemap.artefacts.model_card import BandScale


def normalise(values: Tensor, scale: BandScale) -> Tensor:
    """Return (values - mean) / std as float32; 0 where a value is not finite.

    Args:
        values: bands (B, C, H, W) or (C, H, W), any numeric type.
        scale: mean and standard deviation of each band.
    """
    scaled = values.to(torch.float32, copy=True)  # changed in place below
    scaled -= _per_band(scale.mean, scaled)
    scaled /= _per_band(scale.std, scaled)
    return torch.nan_to_num_(scaled, nan=0.0, posinf=0.0, neginf=0.0)


def _per_band(numbers: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]
