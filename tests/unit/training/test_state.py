import io

import pytest
import torch

from clairemap.artefacts.history import HistoryStep
from clairemap.settings import TrainingSettings
from clairemap.training.average import moving_average
from clairemap.training.state import RunState
from clairemap.training.validation import Validation


def made_state(seed: int, *, averaged: bool = False, **settings: object):
    torch.manual_seed(seed)
    network = torch.nn.Linear(3, 2)
    average = moving_average(network, 0.9) if averaged else None
    return RunState(TrainingSettings(**settings), network, torch.optim.AdamW(network.parameters(), lr=0.1), average)


def train_step(state: RunState):
    state.optimiser.zero_grad()
    state.network(torch.ones(1, 3)).square().sum().backward()
    state.optimiser.step()
    state.add_step(HistoryStep(state.steps_done + 1, 0.1, 0, 1, 1, 1, 0.1, 1))


def weights(state: RunState):
    return torch.cat([value.flatten().clone() for value in state.network.state_dict().values()])


def test_the_best_weights_are_kept_not_the_last():
    state = made_state(0)
    train_step(state)
    state.add_validation(Validation(0.6, 0.9, 0.1))
    best = weights(state)
    train_step(state)
    state.add_validation(Validation(0.6, 0.95, 0.1))  # not better: the earlier ones stay
    assert (state.best.step, state.best.miou) == (1, 0.6)
    assert torch.equal(torch.cat([value.flatten() for value in state.best.weights.values()]), best)
    assert not torch.equal(weights(state), best)
    assert [(row.val_miou, row.val_oa) for row in state.history] == [(0.6, 0.9), (0.6, 0.95)]


def test_a_first_score_of_zero_is_the_best():
    state = made_state(0)
    train_step(state)
    state.add_validation(Validation(0.0, 0.0, 0.0))
    assert state.best.step == 1


@pytest.mark.parametrize("averaged", [False, True])
def test_a_saved_state_resumes_exactly(averaged: bool):
    state = made_state(0, averaged=averaged)
    for _ in range(2):
        train_step(state)
    state.add_validation(Validation(0.6, 0.9, 0.1))
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    train_step(state)

    other = made_state(1, averaged=averaged)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.steps_done == 2
    train_step(other)
    assert torch.equal(weights(other), weights(state))
    assert torch.equal(other.kept.weight, state.kept.weight)
    assert torch.equal(other.kept.weight, other.network.weight) != averaged
    assert other.history == state.history
    assert other.best.miou == 0.6


def test_the_best_weights_are_those_of_the_average():
    state = made_state(0, averaged=True)
    for _ in range(3):
        train_step(state)
    state.add_validation(Validation(0.6, 0.9, 0.1))
    assert torch.equal(state.best.weights["weight"], state.kept.weight)
    assert not torch.equal(state.best.weights["weight"], state.network.weight)


def test_patience_counts_validations_since_the_best_one():
    state = made_state(0, steps=9, patience=2)
    finished = []
    for miou in (0.2, 0.1, None, 0.3, None, 0.3, None, 0.2):
        train_step(state)
        if miou is not None:
            state.add_validation(Validation(miou, 0.5, 0.1))
        finished.append(state.is_finished)
    assert finished == [False] * 7 + [True]
    assert state.stopped_early
    patient = made_state(0, steps=1)
    train_step(patient)
    assert patient.is_finished and not patient.stopped_early
