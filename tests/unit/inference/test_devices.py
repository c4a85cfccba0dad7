import pytest
import torch

from clairemap.inference.devices import choose_devices


def test_gpus_with_most_free_memory_are_used(monkeypatch: pytest.MonkeyPatch):
    free = {0: 10e9, 1: 70e9, 2: 5e9, 3: 75e9}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 80e9))
    assert choose_devices("auto") == (torch.device("cuda", 3),)
    assert choose_devices("cuda", 2) == (torch.device("cuda", 3), torch.device("cuda", 1))
    assert len(choose_devices("cuda", 9)) == 4
    assert choose_devices("cpu", 2) == (torch.device("cpu"),)
