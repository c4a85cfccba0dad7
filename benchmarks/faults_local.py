"""Faults on one machine, for workflow_faults.py."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from faults_made import OUTPUTS, Case, wait_until
from faults_table import Fault, SkippedError

DAY_S = 86_400
TMPFS_MB = 60
LEFT_BYTES = 20_000
LAST_CHECKPOINT = 3
"""Renaming in train_model that puts its third checkpoint in place."""


def kill_writing(stage: str) -> Callable[[Case], None]:
    """Return a fault: SIGKILL of a job when its first output is written but not in place."""

    def act(case: Case) -> None:
        case.inject(stage, "kill")
        assert case.run().code != 0

    return act


def kill_training(case: Case) -> None:
    """SIGKILL while training writes its third checkpoint."""
    case.inject("train_model", "kill", LAST_CHECKPOINT)
    assert case.run().code != 0


def kill_controller(case: Case) -> None:
    """SIGKILL of Snakemake while training runs on; then a rerun without `recover`, which must be refused."""
    process = hold(case, "train_model", LAST_CHECKPOINT)
    process.kill()
    process.wait()
    case.fault = {}
    assert case.run().code == 30


def kill_everything(case: Case) -> None:
    """SIGKILL of Snakemake and all its processes."""
    process = hold(case, "mosaic_region")
    kill_session(process.pid)
    process.wait()


def kill_session(session: int) -> None:
    """SIGKILL of the processes of a session; the rule's shell and Python are in Snakemake's."""
    subprocess.run(["pkill", "-KILL", "-s", str(session)], check=False)


def hold(case: Case, stage: str, rename: int = 1, *words: str) -> "subprocess.Popen[str]":
    """Start Snakemake, and return when a stage waits in the middle of its work."""
    case.inject(stage, "hold", rename)
    process = case.start(*words)
    case.wait_for_fault(process)
    return process


def second_controller(case: Case) -> None:
    """Two Snakemakes in one folder: the second must be refused, the first must finish."""
    first = hold(case, "mosaic_region")
    plan, case.fault = case.fault, {}
    shutil.copy(case.folder / "snakemake.out", case.folder / "first.out")
    assert case.run().code == 30
    case.fault = plan
    case.release()
    assert case.ended(first).code == 0


def second_folder(case: Case) -> None:
    """Another folder with the same work_dir: must be refused."""
    assert case.run().code == 0
    other = case.folder / "other"
    other.mkdir()
    config = yaml.safe_load((case.folder / "config.yaml").read_text())
    config |= {"work_dir": str(case.folder / "work"), "scenes": str(case.folder / "scenes.csv")}
    config["data_dir"] = str(case.folder)
    (other / "config.yaml").write_text(yaml.safe_dump(config))
    inside = Case(other, slurm=False, python=case.python)
    assert inside.run().code == 10
    case.outputs += inside.outputs


def orphan_beside_twin(case: Case) -> None:
    """The orphan of a killed Snakemake ends beside the same job of a run that was forced past the guards."""
    first = hold(case, "mosaic_region")
    first.kill()
    first.wait()
    for folder in (".snakemake/locks", ".snakemake/clairemap/controllers"):
        shutil.rmtree(case.folder / folder)
    case.fault = {}
    twin = case.start()
    time.sleep(3)
    case.release()
    assert case.ended(twin).code == 0


@contextmanager
def small_file_system(folder: Path) -> Iterator[Path]:
    """Put a folder's content on a small file system of its own, and back at the end.

    Raises:
        SkippedError: this machine refuses to mount one.
    """
    aside = folder.with_name(f"{folder.name}-aside")
    folder.rename(aside)
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        folder.rmdir()
        aside.rename(folder)
        raise SkippedError(f"mounting a small file system is refused: {mounted.stderr.decode().strip()}")
    try:
        shutil.copytree(aside, folder, symlinks=True, dirs_exist_ok=True)
        yield folder
        shutil.rmtree(aside)
        shutil.copytree(folder, aside, symlinks=True)
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
        aside.rename(folder)


def disk_full(place: str) -> Callable[[Case], None]:
    """Return a fault: the file system of a folder is full; space is freed afterwards."""

    def act(case: Case) -> None:
        with small_file_system(case.folder / place) as folder:
            filler = folder / "filler"
            free = shutil.disk_usage(folder).free
            filler.write_bytes(b"\0" * max(0, free - LEFT_BYTES))
            assert case.run().code != 0
            filler.unlink()
            assert case.run().code == 0

    return act


def read_only(case: Case) -> None:
    """The results cannot be written; they can be afterwards."""
    with small_file_system(case.folder / "results") as folder:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert case.run().code != 0
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        assert case.run().code == 0


def truncated_input(case: Case) -> None:
    """One scene's SAR file is cut; the other scene's job runs; the file is replaced by the whole one, with its date."""
    path = case.folder / "scenes" / "west" / "sar.tif"
    whole = path.with_name("whole.tif")
    shutil.copy2(path, whole)
    with path.open("r+b") as file:
        file.truncate(whole.stat().st_size // 3)
    assert case.run().code != 0
    shutil.copy2(whole, path)


def future_inputs(case: Case) -> None:
    """The inputs are dated two days in the future: the first run must finish, and the next plan must be empty."""
    later = time.time() + 2 * DAY_S
    for path in (case.folder / "scenes").rglob("*.tif"):
        os.utime(path, (later, later))
    assert case.run().code == 0
    assert "Nothing to be done" in case.run("--dry-run").output


def purged_scratch(case: Case) -> None:
    """The work folder is deleted, and one result is to be made again."""
    shutil.rmtree(case.folder / "work")
    assert "total" in case.run("--dry-run").output


def lost_records(case: Case) -> None:
    """Snakemake's records are deleted: planning must be refused; the outputs are accepted as current."""
    assert case.run().code == 0
    shutil.rmtree(case.folder / ".snakemake")
    assert case.run().code == 30
    assert case.recover("--unrecorded", "keep").code == 0


def interrupt(case: Case) -> None:
    """Snakemake is interrupted once with Ctrl-C."""
    process = hold(case, "mosaic_region")
    os.kill(process.pid, 2)
    case.release()
    case.ended(process)
    wait_until(lambda: process.poll() is not None, "the end of Snakemake")


KILLED = r"\bkilled\b|signal 9|A stage failed"
RUN_KILLED = r"was killed\. Run|^killed: Snakemake"
LOCAL = (
    *(Fault(f"kill_writing_{stage}", (stage,), kill_writing(stage), KILLED) for stage in OUTPUTS),
    Fault("kill_training_at_checkpoint", ("train_model",), kill_training, KILLED),
    Fault("kill_controller", ("train_model",), kill_controller, RUN_KILLED, recover=True),
    Fault("kill_everything", ("mosaic_region",), kill_everything, RUN_KILLED, recover=True),
    Fault("interrupt_controller", ("mosaic_region",), interrupt, "Terminating processes on user request"),
    Fault("two_controllers", ("mosaic_region",), second_controller, "is running in this folder"),
    Fault("two_folders", ("score_region",), second_folder, "belongs to the runs in"),
    Fault("orphan_beside_twin", ("mosaic_region",), orphan_beside_twin, "^Done"),
    Fault("disk_full_in_work", ("predict_scene",), disk_full("work"), "no space left"),
    Fault("disk_full_in_results", ("mosaic_region",), disk_full("results"), "no space left"),
    Fault("results_read_only", ("mosaic_region",), read_only, "write-protected|read-only|cannot be written"),
    Fault("truncated_input", ("register_pair", "tile_scene"), truncated_input, r"sar\.tif: .*Error, exit code"),
    Fault("future_inputs", ("register_pair", "tile_scene"), future_inputs, "in the future"),
    Fault("purged_scratch", ("score_region",), purged_scratch, "^Done"),
    Fault("lost_records", ("score_region",), lost_records, "has no record"),
)
QUICK = {"kill_writing_mosaic_region", "kill_everything", "two_controllers"}
