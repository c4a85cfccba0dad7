import io

import torch

from clairemap.training.history import HistoryRow
from clairemap.training.state import RunState
from clairemap.training.validation import Validation


def made_state(seed: int):
    torch.manual_seed(seed)
    network = torch.nn.Linear(3, 2)
    return RunState(network, torch.optim.AdamW(network.parameters(), lr=0.1))


def do_step(state: RunState):
    state.optimiser.zero_grad()
    state.network(torch.ones(1, 3)).square().sum().backward()
    state.optimiser.step()
    state.history.append(HistoryRow(state.steps_done + 1, 0.1, 0, 1, 1, 1, 0.1, 1))


def weights(state: RunState):
    return torch.cat([value.flatten().clone() for value in state.network.state_dict().values()])


def test_the_best_weights_are_kept_not_the_last():
    state = made_state(0)
    do_step(state)
    state.add_validation(Validation(0.6, 0.9))
    best = weights(state)
    do_step(state)
    state.add_validation(Validation(0.6, 0.95))  # not better: the earlier ones stay
    assert (state.best.step, state.best.miou) == (1, 0.6)
    assert torch.equal(torch.cat([value.flatten() for value in state.best.weights.values()]), best)
    assert not torch.equal(weights(state), best)
    assert [(row.val_miou, row.val_oa) for row in state.history] == [(0.6, 0.9), (0.6, 0.95)]


def test_a_state_of_score_zero_is_still_the_best_of_all():
    state = made_state(0)
    do_step(state)
    state.add_validation(Validation(0.0, 0.0))
    assert state.best.step == 1


def test_a_saved_state_goes_on_as_if_nothing_had_happened():
    state = made_state(0)
    do_step(state)
    state.add_validation(Validation(0.6, 0.9))
    file = io.BytesIO()
    torch.save(state.as_dict(), file)
    do_step(state)

    other = made_state(1)
    file.seek(0)
    other.take_up(torch.load(file, weights_only=True))
    assert other.steps_done == 1
    do_step(other)
    assert torch.equal(weights(other), weights(state))
    assert other.history == state.history
    assert other.best.miou == 0.6
