"""Jobs of killed runs: which are ours, in SLURM's queue and among this machine's processes."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clairemap.errors import RecoverError
from clairemap.operations import orphans
from clairemap.operations.queue import parse_queue

QUEUE = """\
12|clairemap_1111|RUNNING|None|2026-11-27T06:55:45|/data/run|rule_predict_scene_wildcards_west_fused
13|clairemap_2222|PENDING|Resources|N/A|/data/run|rule_train_model
14|clairemap_3333|RUNNING|None|2026-11-27T06:55:45|/data/other|rule_train_model
15|interactive|RUNNING|None|2026-11-27T06:55:45|/data/run|(null)
"""


def test_only_jobs_named_in_the_logs_of_the_folder_are_its_own(tmp_path: Path):
    log = tmp_path / ".snakemake" / "log" / "2026.snakemake.log"
    log.parent.mkdir(parents=True)
    log.write_text("host: login1\nSLURM run ID: clairemap_1111\n")
    ids = orphans.run_ids(tmp_path)
    assert ids == {"clairemap_1111"}
    assert orphans.run_ids(tmp_path, since=time.time() + 10) == set()
    jobs = parse_queue(QUEUE)
    own, unsure = orphans.orphans_among(jobs, ids, Path("/data/run"))
    assert [job.number for job in own] == ["12"]
    assert [job.number for job in unsure] == ["13"]
    assert own[0].described == "12 (predict_scene west_fused, running)"


def test_jobs_are_ours_by_the_prefix_of_the_profile_or_of_the_logs():
    jobs = parse_queue(QUEUE)
    assert [job.number for job in orphans.of_clairemap(jobs, set())] == ["12", "13", "14"]
    mine = parse_queue(QUEUE.replace("clairemap_3333", "mine_3333"))
    assert [job.number for job in orphans.of_clairemap(mine, {"mine_1111"})] == ["12", "13", "14"]


def test_jobs_that_stay_in_the_queue_are_returned(monkeypatch: pytest.MonkeyPatch):
    jobs, cancelled = parse_queue(QUEUE), []
    monkeypatch.setattr(orphans, "answer", lambda *words, timeout_s: cancelled.append(words))  # noqa: ARG005
    assert orphans.cancel(jobs[:2], 0.0, lambda: jobs[1:]) == ["13"]
    assert orphans.cancel(jobs[:2], 0.0, lambda: jobs[2:]) == orphans.cancel([], 0.0) == []
    assert cancelled == [("scancel", "12", "13")] * 2


def test_without_slurm_the_queue_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(RecoverError, match="no squeue"):
        orphans.queue()


def test_processes_of_stages_in_the_folder_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    script = tmp_path / "workflow" / "scripts" / "train_model.py"
    script.parent.mkdir(parents=True)
    script.write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('in', flush=True)\ntime.sleep(60)\n"
    )
    inside, outside = tmp_path / "run", tmp_path / "other"
    started = []
    for folder in (inside, outside):
        folder.mkdir()
        process = subprocess.Popen([sys.executable, str(script)], cwd=folder, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline()
        started.append(process)
    assert orphans.local_orphans(inside, frozenset({"train_model"})) == []
    with monkeypatch.context() as as_another_user:
        as_another_user.setattr(orphans.os, "getuid", lambda: -1)
        assert orphans.local_orphans(inside, frozenset()) == []
    found = orphans.local_orphans(inside, frozenset())
    assert [(process.pid, process.script) for process in found] == [(started[0].pid, "train_model")]
    assert orphans.stop(found, wait_s=0.5) == []
    assert started[0].wait(5) == -9 and started[1].poll() is None
    started[1].kill()
    for process in started:
        process.wait()
        process.stdout.close()
