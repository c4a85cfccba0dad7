import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch.nn import functional

from clairemap.grid.window import Window
from clairemap.nets import strips
from clairemap.nets.probability import stored_probability, upsampled_probability


def window(rows: tuple[int, int], columns: tuple[int, int]):
    return Window(rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0])


def assert_stored(found: np.ndarray, logits: torch.Tensor):
    """Assert that all values are rounded, or 1 lower where rounding would make a class the largest by mistake."""
    exact = 255 * softmax(logits.double().numpy(), axis=0)
    apart = found - exact
    lowered = apart < -0.5001
    assert (np.abs(np.where(lowered, apart + 1, apart)) < 0.5001).all()
    assert not (lowered & (found + 1 < found.max(axis=0))).any()


def test_a_temperature_divides_the_logits():
    logits = torch.tensor([[[2.0]], [[0.0]]])
    assert stored_probability(logits, 2.0).ravel().tolist() == [round(255 / (1 + np.exp(-1))), 69]
    assert stored_probability(logits).ravel().tolist() == [round(255 / (1 + np.exp(-2))), 30]


@pytest.mark.parametrize("shape", [(3, 7, 5), (3, 41)])
@pytest.mark.parametrize("strip_values", [1, 30, 3000])
def test_strips_change_nothing(shape: tuple[int, ...], strip_values: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strips, "STRIP_VALUES", strip_values)
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    before = logits.clone()
    found = stored_probability(logits, 0.7)
    assert found.dtype == np.uint8
    assert_stored(found, logits / 0.7)
    assert torch.equal(logits, before)


@pytest.mark.parametrize(("rows", "columns"), [((0, 52), (0, 40)), ((8, 31), (12, 13)), ((48, 51), (0, 37))])
@pytest.mark.parametrize("strip_values", [1, 1500, 500_000])
@pytest.mark.parametrize("last", [True, False], ids=["channels last", "channels first"])
def test_a_window_upsampled_in_strips_equals_the_upsampled_whole(
    rows: tuple[int, int], columns: tuple[int, int], strip_values: int, last: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(strips, "STRIP_VALUES", strip_values)
    cells = torch.randn(1, 5, 13, 10, generator=torch.Generator().manual_seed(2)) * 3
    fine = functional.interpolate(cells, scale_factor=4, mode="bilinear")[0, :, slice(*rows), slice(*columns)]
    laid_out = cells.contiguous(memory_format=torch.channels_last) if last else cells
    found = upsampled_probability(laid_out[0], window(rows, columns), 4, 1.3)
    assert_stored(found, fine / 1.3)


def test_cells_of_one_pixel_are_not_interpolated():
    logits = torch.randn(3, 9, 11)
    found = upsampled_probability(logits, window((2, 9), (0, 5)), 1)
    assert np.array_equal(found, stored_probability(logits[:, 2:9, :5]))


def test_the_largest_stored_value_is_that_of_the_largest_logit():
    near = torch.randn(4, 200, 300, generator=torch.Generator().manual_seed(3)) * 1e-2
    rounded = np.rint(255 * softmax(near.double().numpy(), axis=0))
    assert (rounded.argmax(axis=0) != near.argmax(dim=0).numpy()).mean() > 0.05
    found = stored_probability(near)
    assert np.array_equal(found.argmax(axis=0), near.argmax(dim=0).numpy())
    assert_stored(found, near)


@pytest.mark.parametrize("first", [torch.inf, torch.nan])
def test_a_logit_that_is_not_finite_gives_probabilities_of_0(first: float):
    logits = torch.tensor([[[first]], [[0.0]], [[-1.0]]])
    assert stored_probability(logits).ravel().tolist() == [0, 0, 0]


def test_equal_logits_are_stored_as_equal():
    assert stored_probability(torch.zeros(3, 1, 1)).ravel().tolist() == [85, 85, 85]
