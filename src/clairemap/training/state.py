"""The state of a run between two steps, as saved in a checkpoint.

It needs no state of random generators: each crop is drawn from the seed and its number (`tiles.sampling`). Learning
rate and early stopping follow from the history.
"""

import logging
import math
from dataclasses import astuple, dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from clairemap.artefacts.history import HistoryStep
from clairemap.nets.claire import Claire
from clairemap.settings import TrainingSettings
from clairemap.training.validation import Validation

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BestWeights:
    """The best validated weights (on the CPU), their mean IoU, and the 1-based step that gave them."""

    step: int
    miou: float
    weights: dict[str, Tensor]


@dataclass
class RunState:
    """Network, its moving average (if used), optimiser, history of the steps done, and best weights."""

    settings: TrainingSettings
    network: Claire
    optimiser: torch.optim.Optimizer
    average: AveragedModel | None = None
    history: list[HistoryStep] = field(default_factory=list)
    best: BestWeights | None = None

    @property
    def kept(self) -> Claire:
        """The network with the weights to validate and to keep: the average if there is one."""
        return self.network if self.average is None else cast(Claire, self.average.module)

    @property
    def steps_done(self) -> int:
        """Number of steps done."""
        return len(self.history)

    @property
    def stopped_early(self) -> bool:
        """Whether the last `training.patience` validations brought no improvement."""
        if self.settings.patience is None or self.best is None:
            return False
        return sum(row.val_miou is not None for row in self.history[self.best.step :]) >= self.settings.patience

    @property
    def is_finished(self) -> bool:
        """Whether no steps remain."""
        return self.steps_done >= self.settings.steps or self.stopped_early

    def add_step(self, row: HistoryStep) -> None:
        """Add a step to the history, and the network's weights to the average."""
        self.history.append(row)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def add_validation(self, scores: Validation) -> None:
        """Add the scores of the current weights to the last step; copy the weights if they are the best so far."""
        self.history[-1] = replace(self.history[-1], val_miou=scores.miou, val_oa=scores.oa, val_ece=scores.ece)
        log.info(
            "step %d: validation mIoU %.4f, OA %.4f, calibration error %.4f",
            *(self.steps_done, scores.miou, scores.oa, scores.ece),
        )
        if scores.miou > (self.best.miou if self.best else -math.inf):
            weights = {name: value.detach().cpu().clone() for name, value in self.kept.state_dict().items()}
            self.best = BestWeights(self.steps_done, scores.miou, weights)

    def state_dict(self) -> dict[str, Any]:
        """Return the state as plain values and tensors."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimiser": self.optimiser.state_dict(),
            "history": [astuple(row) for row in self.history],
            "best": (self.best.step, self.best.miou, self.best.weights) if self.best else None,
        }

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore a state that `state_dict` returned."""
        self.network.load_state_dict(saved["network"])
        if self.average is not None:
            self.average.load_state_dict(saved["average"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.history = [HistoryStep(*row) for row in saved["history"]]
        self.best = BestWeights(*saved["best"]) if saved["best"] else None
