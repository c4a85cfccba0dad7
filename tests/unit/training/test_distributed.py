import logging

import pytest
import torch

from clairemap.errors import SettingsError
from clairemap.training import distributed
from clairemap.training.distributed import Processes, process_group, usable_cpus


def test_a_single_process_exchanges_nothing():
    with process_group("cpu") as processes:
        assert processes == Processes(0, 1, torch.device("cpu"))
        assert processes.is_first
        assert processes.any([True, False]) == (True, False)
        assert torch.equal(processes.sum(torch.arange(3)), torch.arange(3))
        assert processes.broadcast_from_first("step") == "step"
        assert list(processes.share_of(3)) == [0, 1, 2]
        network = torch.nn.Linear(1, 1)
        assert processes.ddp_network(network) is network


def test_every_process_has_its_share():
    shares = [list(Processes(rank, 3, torch.device("cpu")).share_of(8)) for rank in range(3)]
    assert shares == [[0, 3, 6], [1, 4, 7], [2, 5]]


def test_a_missing_gpu_is_rejected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with (
        pytest.raises(SettingsError, match=r"compute\.device is cuda, but PyTorch sees no GPU here"),
        process_group("cuda"),
    ):
        pass


def test_more_processes_than_gpus_are_rejected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with (
        pytest.raises(SettingsError, match="process 1 .* has no GPU: PyTorch sees 1 here"),
        process_group("cuda"),
    ):
        pass


def test_with_a_gpu_the_cpus_are_divided_among_the_processes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 64)  # of which a scheduler gave 16
    assert Processes(0, 4, torch.device("cuda")).reading_threads == 4
    assert Processes(0, 4, torch.device("cpu")).reading_threads == 1
    monkeypatch.delattr("os.sched_getaffinity")
    assert usable_cpus() == 64


@pytest.mark.parametrize("count", [1, 2])
def test_only_the_first_process_logs_warnings(count: int, monkeypatch: pytest.MonkeyPatch):
    logger = logging.getLogger("clairemap")
    monkeypatch.setattr(logger, "level", logger.level)
    for name, value in (("WORLD_SIZE", str(count)), ("RANK", str(count - 1))):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(distributed.dist, "destroy_process_group", lambda: None)
    with process_group("cpu"):
        heard = [logger.getEffectiveLevel() <= level for level in (logging.WARNING, logging.ERROR)]
    assert heard == [count == 1, True]
