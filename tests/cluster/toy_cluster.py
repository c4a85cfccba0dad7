"""A SLURM cluster on this machine, for tests: three nodes on loopback; their GPUs are only counted.

The programs are Debian's (slurmctld, slurmd, slurm-client, munge); systemd is not needed, root is. All processes that
use the cluster share it: the first one starts it, the last one stops it. By hand::

    python tests/cluster/toy_cluster.py start
    snakemake --profile profiles/slurm ...
    python tests/cluster/toy_cluster.py stop
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

STATE = Path("/var/lib/clairemap-toy-cluster")
"""Folder of state, sockets, logs and process ids; removed at the end."""
CONFIG = Path("/etc/slurm")  # not SLURM_CONF: SLURM's variables do not reach the steps of Snakemake's jobs
MARK = "# toy cluster of clairemap's tests"
"""First line of each file in CONFIG that belongs to this cluster."""
LOCKS = Path("/tmp")  # noqa: S108 - the lock files must be the same for all processes of this machine

PROGRAMS = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "scontrol": "slurm-client",
    "munged": "munge",
}
"""Program and its Debian package."""

NODES = ("node1", "node2", "node3")
GPU_NODES = NODES[:2]
CPUS, MEMORY_MB, GPUS = 8, 32_000, 4
"""Per node, as SLURM counts them: jobs share the CPUs and the memory of this machine."""
UP = ("idle", "mixed", "allocated", "completing")
"""States of nodes that accept jobs."""
FIRST_PORT = 16_817


class ClusterError(RuntimeError):
    """The cluster does not start; the message contains the ends of its logs."""


def reason_against() -> str | None:
    """Return why this machine cannot run the toy cluster; None if it can."""
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if os.geteuid() != 0:
        return "the toy cluster needs root"
    if missing:
        return f"Debian packages are missing: apt-get install {' '.join(missing)}"
    for name in ("slurm.conf", "slurmdbd.conf"):
        if (CONFIG / name).exists() and not _is_ours(CONFIG / name):
            return f"{CONFIG / name} belongs to another cluster"
    if "SLURM_CONF" in os.environ or Path("/run/slurm/conf").exists():
        return "this machine belongs to a cluster (SLURM_CONF or /run/slurm/conf)"
    if not _is_ours(CONFIG / "slurm.conf") and (running := _processes("slurmctld", "slurmd")):
        return f"a SLURM daemon is running (process {running[0]})"
    return None


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_text().startswith(MARK)


def _processes(*names: str) -> list[int]:
    """Return the ids of the running processes with one of these names."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() in names and _is_alive(int(folder.name)):
                found.append(int(folder.name))
        except OSError:  # it has ended
            continue
    return found


def _is_alive(process: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def _locked(name: str, mode: int) -> Iterator[None]:
    with (LOCKS / f"clairemap-toy-cluster.{name}.lock").open("w") as file:
        fcntl.flock(file, mode)
        yield


@dataclass
class ToyCluster:
    """The running cluster. Commands for it: ``run("squeue", "--noheader")``."""

    memory_is_limited: bool = field(default_factory=lambda: _has_memory_cgroup())
    """Whether the kernel ends a job that exceeds its memory (needs cgroups v1); otherwise SLURM does, within 2 s."""

    def run(self, *words: str, check: bool = True) -> str:
        """Return the standard output of a command.

        Raises:
            ClusterError: it failed, and `check` is set.
        """
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=_clean_environment())
        if check and done.returncode:
            raise ClusterError(f"{' '.join(words)} exits with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def jobs(self, *states: str) -> dict[int, str]:
        """Return id and name of the jobs that wait or run, or of those in the given states ("running")."""
        chosen = [f"--states={','.join(states)}"] if states else []
        lines = self.run("squeue", "--noheader", "--format=%A %j", *chosen).splitlines()
        return {int(line.split()[0]): line.split(maxsplit=1)[1] for line in lines}

    def jobs_in(self, folder: Path) -> list[str]:
        """Return the ids of the jobs that were submitted in a folder and wait, run or complete."""
        lines = self.run("squeue", "--noheader", "--format=%A %Z").splitlines()
        return [line.split()[0] for line in lines if Path(line.split(maxsplit=1)[1]).is_relative_to(folder)]

    def cancel_all(self) -> None:
        """Cancel all jobs, and wait until none is left."""
        if ids := self.jobs():
            self.run("scancel", *map(str, ids), check=False)
        wait_until(lambda: not self.jobs(), 30, "no job is left")

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until a function returns true.

        Raises:
            ClusterError: it did not within the time; the message contains `what` and the ends of the cluster's logs.
        """
        wait_until(condition, seconds, what)

    def stop_node(self, name: str) -> None:
        """End a node's daemon and its jobs at once, as in a power failure; SLURM learns it at once too."""
        _end(STATE / "run" / f"{name}.pid", "slurmd", signal.SIGKILL)
        _end_steps(name)
        self.run("scontrol", "update", f"nodename={name}", "state=down", "reason=power")

    def start_node(self, name: str) -> None:
        """Start a node's daemon, and wait until the node accepts jobs."""
        subprocess.run(["slurmd", "-N", name], check=True, timeout=60, env=_clean_environment())
        self.run("scontrol", "update", f"nodename={name}", "state=resume", check=False)
        wait_until(lambda: self.state_of(name) in UP, 60, f"{name} accepts jobs")

    def state_of(self, node: str) -> str:
        """Return a node's state in words of sinfo: idle, mixed, allocated, down, drained."""
        return self.run("sinfo", "--noheader", f"--nodes={node}", "--format=%T").split()[0].rstrip("*")

    def reset(self) -> None:
        """Start the nodes that are down, and cancel all jobs."""
        for name in NODES:
            if _process_of(STATE / "run" / f"{name}.pid", "slurmd") is None or self.state_of(name) not in UP:
                self.stop_node(name)
                self.start_node(name)
        self.cancel_all()


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until a function returns true.

    Raises:
        ClusterError: it did not within the time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise ClusterError(f"not after {seconds:.0f} s: {what}\n{_ends_of_logs()}")
        time.sleep(0.1)


def _ends_of_logs() -> str:
    logs = sorted((STATE / "log").glob("*.log"))
    return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-600:]}" for path in logs)


@contextmanager
def toy_cluster() -> Iterator[ToyCluster]:
    """Yield the cluster; start it if no process of this machine uses it, and stop it if no other process does.

    Raises:
        ClusterError: it does not start.
    """
    with (LOCKS / "clairemap-toy-cluster.users.lock").open("w") as users:
        with _locked("start", fcntl.LOCK_EX):
            fcntl.flock(users, fcntl.LOCK_SH)
            cluster = start()
        try:
            yield cluster
        finally:
            with _locked("start", fcntl.LOCK_EX):
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass  # another process uses it
                else:
                    stop()


def start() -> ToyCluster:
    """Start the cluster, unless it runs already.

    Raises:
        ClusterError: this machine cannot run it, or it does not start.
    """
    if reason := reason_against():
        raise ClusterError(reason)
    if _is_ours(CONFIG / "slurm.conf") and _answers():
        return ToyCluster()
    stop()  # leftovers of a killed run
    for name in ("state", "spool", "run", "log", "dev"):
        (STATE / name).mkdir(parents=True, exist_ok=True)
    _write_config()
    _start_munge()
    subprocess.run(["slurmctld"], check=True, timeout=60, env=_clean_environment())
    for name in NODES:
        subprocess.run(["slurmd", "-N", name], check=True, timeout=60, env=_clean_environment())
    wait_until(_is_ready, 60, "all nodes are idle")
    return ToyCluster()


def _answers() -> bool:
    done = subprocess.run(
        ["scontrol", "ping"], capture_output=True, text=True, timeout=60, check=False, env=_clean_environment()
    )
    return " UP" in done.stdout


def _is_ready() -> bool:
    done = subprocess.run(
        ["sinfo", "--noheader", "--Node", "--format=%N %T"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_clean_environment(),
    )
    return set(done.stdout.splitlines()) == {f"{name} idle" for name in NODES}


def _clean_environment() -> dict[str, str]:
    """Return the environment without variables of an allocation that the tests themselves may run in."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH", "SRUN"))}


def _has_memory_cgroup() -> bool:
    """Whether this process may create groups of cgroups v1 that limit memory."""
    probe = Path("/sys/fs/cgroup/memory/clairemap-probe")
    try:
        probe.mkdir()
        (probe / "memory.limit_in_bytes").read_text()
        probe.rmdir()
    except OSError:
        return False
    return True


def _write_config() -> None:
    for index in range(GPUS):
        (STATE / "dev" / f"nvidia{index}").symlink_to("/dev/null")  # SLURM asks for a character device only
    host = socket.gethostname().split(".")[0]
    limited = _has_memory_cgroup()
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={FIRST_PORT + number} CPUs={CPUS} "
        f"RealMemory={MEMORY_MB} {f'Gres=gpu:{GPUS}' if name in GPU_NODES else ''} State=UNKNOWN"
        for number, name in enumerate(NODES, start=1)
    )
    text = f"""{MARK}
ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={FIRST_PORT}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={STATE}/run/munge.socket,cred_expire=5
StateSaveLocation={STATE}/state
SlurmdSpoolDir={STATE}/spool/%n
SlurmctldPidFile={STATE}/run/slurmctld.pid
SlurmdPidFile={STATE}/run/%n.pid
SlurmctldLogFile={STATE}/log/slurmctld.log
SlurmdLogFile={STATE}/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/{"cgroup" if limited else "none"}
MpiDefault=none
ReturnToService=2
SchedulerParameters=bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
{"" if limited else "JobAcctGatherParams=OverMemoryKill"}
AccountingStorageType=accounting_storage/none
GresTypes=gpu
SlurmdParameters=config_overrides
MinJobAge=300
KillWait=5
SlurmdTimeout=20
JobRequeue=1
PropagateResourceLimits=NONE
{nodes}
PartitionName=cpu Nodes={",".join(NODES)} Default=YES MaxTime=INFINITE State=UP DefMemPerCPU=200
PartitionName=gpu Nodes={",".join(GPU_NODES)} MaxTime=2880 State=UP DefMemPerCPU=200
PartitionName=short Nodes={NODES[-1]} MaxTime=60 State=UP DefMemPerCPU=200
"""
    gpus = f"NodeName={','.join(GPU_NODES)} Name=gpu File={STATE}/dev/nvidia[0-{GPUS - 1}]"
    groups = "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nCgroupAutomount=no\nConstrainRAMSpace=yes"
    CONFIG.mkdir(exist_ok=True)
    (CONFIG / "slurm.conf").write_text(text)
    (CONFIG / "gres.conf").write_text(f"{MARK}\nAutoDetect=off\n{gpus}\n")
    (CONFIG / "cgroup.conf").write_text(f"{MARK}\n{groups}\n")


def _start_munge() -> None:
    """Start a munge daemon with a key and a socket of its own, and leave the system's alone."""
    run = STATE / "run"
    (run / "munge.key").write_bytes(os.urandom(128))
    (run / "munge.key").chmod(0o400)
    options = {
        "socket": run / "munge.socket",
        "key-file": run / "munge.key",
        "pid-file": run / "munged.pid",
        "seed-file": run / "munge.seed",
        "log-file": STATE / "log" / "munged.log",
    }
    subprocess.run(
        ["munged", "--force", *(f"--{name}={path}" for name, path in options.items())],
        check=True,
        timeout=60,
        stderr=subprocess.DEVNULL,
    )


def stop() -> None:
    """Stop the cluster's processes and remove its files; do nothing if there is none."""
    if not STATE.exists() and not _is_ours(CONFIG / "slurm.conf"):
        return
    if _is_ours(CONFIG / "slurm.conf") and _answers():
        ToyCluster().cancel_all()
    for name in NODES:
        _end(STATE / "run" / f"{name}.pid", "slurmd")
        _end_steps(name)
    for program in ("slurmctld", "munged"):
        _end(STATE / "run" / f"{program}.pid", program)
    for group in Path("/sys/fs/cgroup").glob("*/slurm_node*"):
        subprocess.run(["find", group, "-depth", "-type", "d", "-delete"], stderr=subprocess.DEVNULL, check=False)
    shutil.rmtree(STATE, ignore_errors=True)
    for name in ("slurm.conf", "gres.conf", "cgroup.conf"):
        if _is_ours(CONFIG / name):
            (CONFIG / name).unlink()


def _process_of(pid_file: Path, program: str) -> int | None:
    """Return the process of a pid file, if it runs and has this name."""
    try:
        process = int(pid_file.read_text())
        name = Path(f"/proc/{process}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return process if name == program and _is_alive(process) else None


def _end(pid_file: Path, program: str, how: signal.Signals = signal.SIGTERM) -> None:
    process = _process_of(pid_file, program)
    if process is None:
        return
    os.kill(process, how)
    end = time.monotonic() + 10
    while _is_alive(process):
        if time.monotonic() > end:
            _kill(process)
        time.sleep(0.05)


def _end_steps(node: str) -> None:
    """End a node's jobs at once: its slurmstepds, which have the node's log open, and their descendants.

    Parents end first: a slurmstepd that sees its script end still tells the controller, a node without power does not.
    """
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 0.3:  # a job that has just been launched has no slurmstepd yet
        for step in _processes("slurmstepd"):
            if _has_open(step, STATE / "log" / f"{node}.log"):
                for process in [step, *_descendants(step)]:
                    _kill(process)
                quiet_since = time.monotonic()
        time.sleep(0.02)


def _has_open(process: int, file: Path) -> bool:
    try:
        return any(link.resolve() == file for link in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    children: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children += map(int, path.read_text().split())
        except OSError:
            continue
    return [*children, *(grandchild for child in children for grandchild in _descendants(child))]


def main() -> None:
    """Start or stop the cluster by hand."""
    if sys.argv[1:] == ["start"]:
        start()
    elif sys.argv[1:] == ["stop"]:
        stop()
    else:
        raise SystemExit("usage: toy_cluster.py start|stop")


if __name__ == "__main__":
    main()
