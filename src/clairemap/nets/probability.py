"""From logits to the probabilities that a map stores."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clairemap.classes import FULL

STRIP_PX = 32_768
"""Pixels worked on at a time: with tens of classes they still fit into a processor's cache."""


def stored_probability(logits: Tensor, temperature: float = 1.0) -> NDArray[np.uint8]:
    """Return round(255 * softmax(logits / temperature)) over the first dimension, as uint8 on the CPU.

    Worked on in strips along the second dimension that stay in the processor's cache: half the time, and no copies of
    the logits.

    Args:
        logits: (K, H, W) or (K, N), of any floating type; computed with in float32.
        temperature: above 0.
    """
    whole = torch.empty(logits.shape, dtype=torch.uint8, device=logits.device)
    length = max(1, STRIP_PX // math.prod(logits.shape[2:]))
    for source, target in zip(torch.split(logits, length, 1), torch.split(whole, length, 1), strict=True):
        shares = torch.softmax(source.float().div(temperature), dim=0)
        target.copy_(shares.mul_(FULL).round_())
    return np.asarray(whole.cpu().numpy())
