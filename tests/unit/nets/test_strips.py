import pytest
import torch
from torch import Tensor

from clairemap.nets import strips
from clairemap.nets.strips import in_strips, strip_rows

CPU = torch.device("cpu")


@pytest.mark.parametrize("values", [1, 40, 95, 10_000])
@pytest.mark.parametrize(("stride", "multiple", "rows_together"), [(1, 1, 1), (4, 1, 4), (1, 5, 5), (4, 6, 12)])
def test_strips_change_nothing(
    values: int, stride: int, multiple: int, rows_together: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(strips, "STRIP_VALUES", values)
    image = torch.arange(2 * 20 * 5.0).reshape(2, 20, 5)
    seen: list[int] = []

    def mean(rows: slice) -> Tensor:
        seen.append(rows.stop - rows.start)
        return image[:, rows].unflatten(1, (-1, stride)).mean(2)

    with torch.no_grad():
        found = in_strips(mean, 20, 5, CPU, stride, multiple)
    assert torch.equal(found, image.unflatten(1, (-1, stride)).mean(2))
    assert sum(seen) == 20 and all(rows % rows_together == 0 for rows in seen[:-1])
    assert max(seen) == min(max(values // 5 // rows_together, 1) * rows_together, 20)


def test_with_gradients_there_is_one_strip(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strips, "STRIP_VALUES", 1)
    seen: list[slice] = []
    in_strips(lambda rows: seen.append(rows) or torch.zeros(1, 8), 8, 5, CPU)
    assert seen == [slice(0, 8)]


def test_strips_are_larger_on_a_gpu():
    assert strip_rows(1000, torch.device("cuda"), 4) > 4 * strip_rows(1000, CPU, 4)
