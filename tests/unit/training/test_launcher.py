import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch.distributed.elastic.rendezvous.api import RendezvousConnectionError

from clairemap.errors import SettingsError, TrainingError
from clairemap.training.launcher import Nodes, exit_code, first_host, launch

STEP = {
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
    "SLURM_JOB_ID": "1234567",
    "SLURM_STEP_ID": "0",
    "SLURMD_NODENAME": "gpu04",
}


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu1", "gpu1"),
        ("gpu1,gpu2", "gpu1"),
        ("gpu[03-05,9],cpu1", "gpu03"),
        ("gpu[7,9-11]", "gpu7"),
        ("rack[2-3]-node[08-09].site.org", "rack2-node08.site.org"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_first_host_of_a_node_list(nodes: str, first: str):
    assert first_host(nodes) == first


@pytest.mark.parametrize("nodes", ["", ",a", "[a-b]"])
def test_an_invalid_node_list_is_refused(nodes: str):
    with pytest.raises(ValueError, match="not a valid node list"):
        first_host(nodes)


def test_the_nodes_of_a_step_use_the_same_address():
    first, second = (Nodes.from_slurm_step({**STEP, "SLURM_NODEID": number}) for number in "01")
    assert second == Nodes(2, number=1, name="gpu04", first_host="gpu03", port=24567, rendezvous_id="1234567.0")
    assert first.options[:-1] == second.options[:-1]
    assert "--rdzv-endpoint=gpu03:24567" in first.options
    assert (first.options[-1], second.options[-1]) == ("--rdzv-conf=is_host=1", "--rdzv-conf=is_host=0")


def test_the_error_of_launchers_that_cannot_connect_names_the_address(monkeypatch: pytest.MonkeyPatch):
    def no_connection(_: object) -> None:  # torch raises this after a minute
        raise RendezvousConnectionError("no connection") from OSError("refused")

    monkeypatch.setattr("clairemap.training.launcher.torchrun.run", no_connection)
    monkeypatch.setattr("clairemap.training.launcher._resolves", lambda _: True)
    with pytest.raises(TrainingError, match=r"connect at gpu03:24567: refused\. The port must be open"):
        launch(1, ["script.py"], STEP)


def fake_scontrol(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    program = folder / "scontrol"
    program.write_text(f'#!/bin/sh\necho "NodeName=$3 Arch=x86_64"\necho "   NodeAddr={address} NodeHostName=$3"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_addresses_of_slurm_are_used_if_names_do_not_resolve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    fake_scontrol(tmp_path, monkeypatch, "127.0.0.1")
    nodes = Nodes.from_slurm_step({**STEP, "SLURM_STEP_NODELIST": "gpu3.invalid,gpu4.invalid"}).resolved()
    assert "--rdzv-endpoint=127.0.0.1:24567" in nodes.options and "--local-addr=127.0.0.1" in nodes.options
    assert "gpu3.invalid does not resolve on node gpu04" in caplog.text


@pytest.mark.parametrize("address", ["gpu3.invalid", ""])
def test_a_name_without_any_address_is_an_error_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str):
    fake_scontrol(tmp_path, monkeypatch, address)
    with pytest.raises(TrainingError, match=r"first node, gpu3\.invalid, does not resolve on node gpu04"):
        launch(1, ["script.py"], {**STEP, "SLURM_STEP_NODELIST": "gpu[3-4].invalid"})


@pytest.mark.parametrize("environment", [{}, {**STEP, "SLURM_STEP_NUM_NODES": "1"}, {"SLURM_JOB_NUM_NODES": "2"}])
def test_a_step_of_one_node_ignores_the_allocation(environment: dict[str, str]):
    assert Nodes.from_slurm_step(environment) is None


@pytest.mark.parametrize(
    "changed", [{"SLURM_NODEID": ""}, {"SLURM_STEP_NODELIST": ""}, {"SLURM_STEP_NUM_NODES": "two"}]
)
def test_an_invalid_step_is_refused(changed: dict[str, str]):
    with pytest.raises(SettingsError, match="srun --ntasks-per-node=1"):
        Nodes.from_slurm_step({**STEP, **changed})
    with pytest.raises(SettingsError, match="SLURM_JOB_ID"):
        Nodes.from_slurm_step({name: value for name, value in STEP.items() if name != "SLURM_JOB_ID"})


@pytest.mark.parametrize(
    ("codes", "code"), [([75, 75], 75), ([1, 21], 21), ([-15, 10], 10), ([1, -15], 1), ([-9], 137), ([3, 1], 3)]
)
def test_the_code_of_an_error_takes_precedence(codes: list[int], code: int):
    assert exit_code(codes) == code


SCRIPT = """
import os, pathlib, signal, sys, time
rank = int(os.environ["RANK"])
line = f"{sys.argv[1:]} {os.environ['WORLD_SIZE']} {os.environ['OMP_NUM_THREADS']}\\n"
os.write(1, line.encode())  # in one piece: output of print could mix with that of the other process
has_printed = pathlib.Path(__file__).with_name("has_printed")
if rank == 0:
    has_printed.touch()
for _ in range(6000):  # a failing process must not end the other one before it has printed
    if has_printed.exists():
        break
    time.sleep(0.01)
if sys.argv[1] == "--killed" and rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[1] == "--code" and rank == 1:
    sys.exit(int(sys.argv[2]))
time.sleep(0 if sys.argv[1] == "--well" else 60)
"""


@pytest.mark.parametrize(("words", "code"), [(["--well"], 0), (["--code", "75"], 75), (["--killed"], 137)])
def test_a_launcher_exits_with_the_code_of_its_processes(words: list[str], code: int, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launcher = [sys.executable, "-m", "clairemap.training.launcher", "--processes", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "5"}
    done = subprocess.run(
        [*launcher, str(script), *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.count(f"{words} 2 2") == 2
