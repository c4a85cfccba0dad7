"""RIFT, the rare-instance focal-Tversky loss, exact also for batches divided among processes.

With V the labelled pixels, p the softmax of the logits, y the label and S the sum over V of the whole batch::

    focal   = 1 / |V| · S w_y (1 - p_y)^gamma (-log p_y)
    TI_c    = (TP_c + s) / (TP_c + alpha · FP_c + beta · FN_c + s)
    tversky = mean, weighted by v_c, of (1 - TI_c)^kappa over the classes c that occur in V
    total   = balance · focal + (1 - balance) · tversky

where TP_c = S p_c g_c, FP_c = S p_c (1 - g_c), FN_c = S (1 - p_c) g_c; g_c is 1 for the label's class, else 0.
The paper (arXiv 2509.11952) names the loss and its terms; form and constants are this project's own, after Lin et al.
2017 (focal) and Salehi et al. 2017 (Tversky).
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, distributed, nn

from clairemap.classes import IGNORE_INDEX
from clairemap.settings import LossSettings

WEIGHT_RANGE = (0.2, 5.0)
"""Class weights are clipped to this range, so that a class of a few pixels does not dominate the loss."""

_SMALLEST_BASE = 1e-7  # of powers, because an exponent below 1 has an infinite gradient at 0


class RiftLoss(NamedTuple):
    """The loss and its terms, scalars; `total` is the one to minimise."""

    total: Tensor
    focal: Tensor
    tversky: Tensor


class _Sums(NamedTuple):
    """Sums over the labelled pixels of the whole batch, float64: (K,) per class; `focal` and `pixels` are scalars."""

    true_positive: Tensor
    probability: Tensor
    focal: Tensor
    truth: Tensor
    pixels: Tensor


def class_weights(class_px: Sequence[int], kind: Literal["inverse_sqrt", "none"]) -> Tensor:
    """Return the weight of each class, float32.

    Args:
        class_px: pixels of each class in the training data.
        kind: none: all 1. inverse_sqrt: inverse square root of the frequency, with mean 1 over the classes that occur,
            clipped to `WEIGHT_RANGE`; 1 for other classes.
    """
    px = torch.as_tensor(class_px, dtype=torch.float64)
    seen = px > 0
    if kind == "none" or not seen.any():
        return torch.ones(len(px))
    rarity = torch.where(seen, px, 1).rsqrt()
    weights = (rarity / rarity[seen].mean()).clamp(*WEIGHT_RANGE)
    return torch.where(seen, weights, 1).float()


class Rift(nn.Module):
    """RIFT with the constants of the settings.

    Under torch.distributed the sums are over all processes, so all must call it, even without labels. After DDP's mean
    the gradient equals that of one process with the whole batch.
    """

    weights: Tensor
    tversky_weights: Tensor

    def __init__(self, settings: LossSettings, class_px: Sequence[int]) -> None:
        super().__init__()
        self.settings = settings
        of_tversky = class_weights(class_px, settings.tversky_class_weights)
        self.register_buffer("weights", class_weights(class_px, settings.class_weights), persistent=False)
        self.register_buffer("tversky_weights", of_tversky, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> RiftLoss:
        """Return the loss of a batch; 0, with zero gradients, if no pixel has a label.

        Args:
            logits: (B, K, H, W), any floating-point type; computed in float32, or in float64 for float64.
            target: class indices (B, H, W) int64, IGNORE_INDEX where there is no label or no usable sensor.
        """
        with torch.autocast(logits.device.type, enabled=False):
            sums = self._sums(logits, target)
            focal = sums.focal / sums.pixels.clamp(min=1)
            tversky = self._tversky(sums)
            total = self.settings.balance * focal + (1 - self.settings.balance) * tversky
        dtype = _precise(logits.dtype)
        return RiftLoss(total.to(dtype), focal.to(dtype), tversky.to(dtype))

    def _sums(self, logits: Tensor, target: Tensor) -> _Sums:
        precise = logits.to(_precise(logits.dtype))
        local = _local_sums(precise, target, self.weights.to(precise.dtype), self.settings.focal_gamma)
        sizes = [len(part) for part in local]
        true_positive, probability, focal, truth = torch.split(sum_over_processes(torch.cat(local)), sizes)
        return _Sums(true_positive, probability, focal[0], truth, truth.sum())

    def _tversky(self, sums: _Sums) -> Tensor:
        s = self.settings
        false_positive = sums.probability - sums.true_positive
        false_negative = sums.truth - sums.true_positive
        error = s.tversky_alpha * false_positive + s.tversky_beta * false_negative
        present = sums.truth > 0
        whole = torch.where(present, sums.true_positive + error + s.smooth, 1)  # avoids 0 / 0 if smooth is 0
        loss = _power((error / whole).clamp(min=0), s.tversky_kappa)  # 1 - TI, without cancellation
        weights = torch.where(present, self.tversky_weights, 0).to(loss.dtype)
        return (weights * loss).sum() / weights.sum().clamp(min=WEIGHT_RANGE[0])


def _local_sums(logits: Tensor, target: Tensor, weights: Tensor, gamma: float) -> list[Tensor]:
    """Return TP (K,), S p (K,), the focal sum (1,) and the labelled pixels (K,) of this process, float64."""
    labelled = target != IGNORE_INDEX
    label = torch.where(labelled, target, 0)
    mask = labelled.to(logits.dtype)
    weight = _value_of_label(weights, label) * mask
    of_logits = _PixelSums.apply(logits, label, mask, weight, gamma)  # type: ignore[no-untyped-call]
    return [*of_logits, _sum_by_class(mask, label, logits.shape[1])]


class _PixelSums(torch.autograd.Function):
    """The sums that depend on the logits: TP_c, S p_c and the focal term.

    The hand-written backward pass keeps one array of the logits' size instead of five, and takes a third of autograd's
    time. With a_TP, a_P and a_F the incoming gradients, l = log p_y and f the focal term::

        d / d logit_k = p_k · (a_P[k] - S_c a_P[c] p_c - u) + [k = y] · u,    u = a_TP[y] · p_y + a_F · w_y · f'(l)
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch has no public type for it
        logits: Tensor,
        label: Tensor,
        mask: Tensor,
        weight: Tensor,
        gamma: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return TP (K,), S p (K,) and the focal sum (1,), float64; `weight` must be 0 where `mask` is 0."""
        p, log_p_label = _masked_softmax(logits, label, mask)
        focal = -(weight * _power(-torch.expm1(log_p_label), gamma) * log_p_label)
        ctx.save_for_backward(p, log_p_label, label, mask, weight)
        ctx.gamma = gamma
        true_positive = _sum_by_class(log_p_label.exp() * mask, label, logits.shape[1])
        return true_positive, p.sum(dim=(2, 3)).double().sum(0), focal.sum(dim=2).double().sum()[None]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: Any,  # noqa: ANN401
        a_true_positive: Tensor,
        a_probability: Tensor,
        a_focal: Tensor,
    ) -> tuple[Tensor, None, None, None, None]:
        """Return the gradient of the logits (B, K, H, W); exactly 0 where the mask is 0."""
        p, log_p_label, label, mask, weight = ctx.saved_tensors
        a_probability = a_probability.to(p.dtype)
        of_label = _value_of_label(a_true_positive.to(p.dtype), label) * log_p_label.exp() * mask
        of_label += a_focal.to(p.dtype) * weight * _focal_slope(log_p_label, ctx.gamma)
        shift = torch.einsum("k,bkhw->bhw", a_probability, p) + of_label
        gradient = (a_probability[:, None, None] - shift[:, None]).mul_(p)
        return gradient.scatter_add_(1, label[:, None], of_label[:, None]), None, None, None, None


def _masked_softmax(logits: Tensor, label: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return softmax(logits) · mask (B, K, H, W), and the label's log probability (B, H, W), unmasked."""
    top = logits.amax(dim=1, keepdim=True)
    p = (logits - top).exp_()  # not yet divided by the sum
    whole = p.sum(dim=1, keepdim=True)
    log_p_label = (logits.gather(1, label[:, None]) - top - whole.log()).squeeze(1)
    return p.mul_(mask[:, None] / whole), log_p_label


def _focal_slope(log_p: Tensor, gamma: float) -> Tensor:
    """Return the derivative of -(1 - p)^gamma · log p with respect to log p; finite also for p = 0 and p = 1."""
    if gamma == 0:
        return torch.full_like(log_p, -1)
    rest = (-torch.expm1(log_p)).clamp_(min=_SMALLEST_BASE)
    return rest.pow(gamma - 1) * (gamma * log_p.exp() * log_p - rest)


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _power(base: Tensor, exponent: float) -> Tensor:
    """Return base ** exponent for a base in [0, 1], with a finite gradient everywhere."""
    if exponent == 0:
        return torch.ones_like(base)
    if exponent == 1:
        return base
    return base.clamp(min=_SMALLEST_BASE).pow(exponent)


def _value_of_label(values_K: Tensor, label_BHW: Tensor) -> Tensor:
    """Return the value of each pixel's class; on a CPU four times as fast as plain indexing."""
    return values_K.index_select(0, label_BHW.flatten()).view_as(label_BHW)


def _sum_by_class(values_BHW: Tensor, label_BHW: Tensor, classes: int) -> Tensor:
    """Return the sum of the values of each class, (K,) float64.

    Summed per image row first: a float32 sum over a million pixels would lose five digits, and on a GPU all pixels
    would compete for a few addresses.
    """
    rows = label_BHW.shape[0] * label_BHW.shape[1]
    row = torch.arange(rows, device=label_BHW.device).reshape(*label_BHW.shape[:2], 1)
    place = (row * classes + label_BHW).flatten()
    sums = values_BHW.new_zeros(rows * classes).index_add(0, place, values_BHW.flatten())
    return sums.reshape(rows, classes).double().sum(0)


def sum_over_processes(local: Tensor) -> Tensor:
    """Return the sums over all processes; gradients are multiplied by their number, which cancels DDP's mean."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return local
    everywhere = local.detach().clone()
    distributed.all_reduce(everywhere)
    return everywhere + distributed.get_world_size() * (local - local.detach())
