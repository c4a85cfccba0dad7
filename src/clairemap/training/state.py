"""The state of a run between two steps: what a checkpoint holds."""

import logging
import math
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from clairemap.training.history import HistoryRow
from clairemap.training.validation import Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Best:
    """The best validated weights (on the CPU), their mean IoU and the step, counted from 1, that they come after."""

    step: int
    miou: float
    weights: dict[str, Tensor]


@dataclass
class RunState:
    """Network and optimiser, the history of the steps done, and the best weights if any were validated."""

    network: nn.Module
    optimiser: torch.optim.Optimizer
    history: list[HistoryRow] = field(default_factory=list)
    best: Best | None = None

    @property
    def steps_done(self) -> int:
        """Steps done so far."""
        return len(self.history)

    def add_validation(self, scores: Validation) -> None:
        """Note the scores of the weights as they are; keep a copy of the weights if they are the best so far."""
        self.history[-1] = replace(self.history[-1], val_miou=scores.miou, val_oa=scores.oa)
        log.info("step %d: validation mIoU %.4f, OA %.4f", self.steps_done, scores.miou, scores.oa)
        if scores.miou > (self.best.miou if self.best else -math.inf):
            weights = {name: value.detach().cpu().clone() for name, value in self.network.state_dict().items()}
            self.best = Best(self.steps_done, scores.miou, weights)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as plain values and tensors."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": [astuple(row) for row in self.history],
            "best": (self.best.step, self.best.miou, self.best.weights) if self.best else None,
        }

    def take_up(self, saved: dict[str, Any]) -> None:
        """Become the state that `as_dict` returned."""
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.history = [HistoryRow(*row) for row in saved["history"]]
        self.best = Best(*saved["best"]) if saved["best"] else None
