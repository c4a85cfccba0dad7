"""What training minimises: RIFT of both sensors, RIFT of each sensor alone, and the loss of the gate."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from clairemap.classes import IGNORE_INDEX
from clairemap.nets.claire import ClaireOutput
from clairemap.nets.rift import Rift, RiftLoss
from clairemap.tiles.dataset import TrainingSample
from clairemap.training.gate_loss import gate_loss


@dataclass(frozen=True)
class Objective:
    """Weighted sum of the losses of a batch.

    `alone_weight` is the weight of the loss of each sensor alone against 1 for both together, `gate_weight` that of
    `gate_loss`; 0 disables one.
    """

    rift: Rift
    alone_weight: float = 0.0
    gate_weight: float = 0.0

    def outputs(self, network: nn.Module, batch: TrainingSample) -> list[Tensor]:
        """Return the network's output for the losses, crops first: logits (B, K, H, W), then shares.

        Logits are those of both sensors and, with `alone_weight`, of optical alone and SAR alone. The shares of
        optical at each stride follow with `gate_weight`. Computed under bfloat16 autocast on a GPU.
        """
        device = batch.optical.device.type
        images = (batch.optical, batch.sar, batch.optical_weight, batch.sar_weight)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            found: ClaireOutput = network(*images, with_alone=True) if self.alone_weight else network(*images)
        return [found.logits, *found.alone, *(found.shares if self.gate_weight else ())]

    def loss(self, outputs: Sequence[Tensor], batch: TrainingSample) -> RiftLoss:
        """Return the loss of the whole batch, over all processes; `total` is the one to minimise.

        A sensor's loss ignores pixels that the sensor does not see, or where it misleads. `focal` and `tversky` are the
        terms of RIFT, means over both sensors and each alone.

        Args:
            outputs: see `outputs`.
            batch: the crops.
        """
        paths = 3 if self.alone_weight else 1
        found, shares = self._rift(outputs[:paths], batch), outputs[paths:]
        if not shares:
            return found
        return found._replace(total=found.total + self.gate_weight * gate_loss(shares, batch).to(found.total.dtype))

    def _rift(self, logits: Sequence[Tensor], batch: TrainingSample) -> RiftLoss:
        both: RiftLoss = self.rift(logits[0], batch.target)
        if len(logits) == 1:
            return both
        seen = torch.cat([batch.optical_weight, batch.sar_weight], dim=1) > 0
        targets = (torch.where(fit, batch.target, IGNORE_INDEX) for fit in (seen & ~batch.misleading).unbind(dim=1))
        optical, sar = map(self.rift, logits[1:], targets)
        weight = self.alone_weight
        return RiftLoss(
            *((b + weight * (o + s)) / (1 + 2 * weight) for b, o, s in zip(both, optical, sar, strict=True))
        )
