"""Records of running and killed Snakemakes."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from clairemap.operations.controllers import (
    SILENCE_S,
    Controller,
    Places,
    controllers_of,
    places_of,
    registered,
    start_ticks,
    state_folder,
)


def write(folder: Path, controller: Controller) -> Path:
    path = state_folder(folder) / "controllers" / f"{controller.host}.{controller.pid}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(controller)))
    return path


def test_a_process_is_registered_while_it_runs(tmp_path: Path):
    with registered(tmp_path):
        (found,) = controllers_of(tmp_path)
        assert found.controller.pid == os.getpid() and found.is_alive()
    assert controllers_of(tmp_path) == []


def test_a_killed_process_is_not_alive(tmp_path: Path):
    code = "import sys, time; from pathlib import Path; from clairemap.operations.controllers import registered\n"
    code += "with registered(Path(sys.argv[1])): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        (found,) = controllers_of(tmp_path)
        assert found.is_alive()
        process.kill()
        process.wait()
        assert not found.is_alive()


def test_a_later_process_with_the_same_number_is_another_one(tmp_path: Path):
    write(tmp_path, dataclasses.replace(Controller.this_process(), ticks="1"))
    assert not controllers_of(tmp_path)[0].is_alive()


def test_a_process_that_ended_and_was_not_awaited_does_not_run():
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert start_ticks(process.pid) == "" != start_ticks(os.getpid())


def test_in_another_container_of_this_host_signs_of_life_count(tmp_path: Path):
    write(tmp_path, dataclasses.replace(Controller.this_process(), namespace="another", ticks="1"))
    assert controllers_of(tmp_path)[0].is_alive()


def test_on_another_host_signs_of_life_count(tmp_path: Path):
    path = write(tmp_path, dataclasses.replace(Controller.this_process(), host="login2"))
    (found,) = controllers_of(tmp_path)
    assert found.is_alive()
    past = time.time() - SILENCE_S - 10
    os.utime(path, (past, past))
    assert not found.is_alive()
    assert list(path.parent.iterdir()) == [path]


def test_places_are_remembered_once(tmp_path: Path):
    for place in (Places("work", ("results/a",)), Places("work", ("results/a",)), Places("other", ())):
        place.remember(tmp_path)
    assert sorted(place.work_dir for place in places_of(tmp_path)) == ["other", "work"]


def test_records_of_other_versions_can_be_read(tmp_path: Path):
    path = write(tmp_path, Controller.this_process())
    path.write_text('{"pid": 5, "later": true}')
    (found,) = controllers_of(tmp_path)
    assert found.controller.pid == 5 and "unknown host" in found.controller.described


def test_the_results_folders_of_outputs():
    places = Places("work", ("results/north", "./results/south", "results/east"))
    outputs = ["results/north/map.tif", "results/south/metrics.json", "work/north/a.json", "results/north/a/b.tif"]
    assert places.results_of(outputs) == [Path("results/north"), Path("results/south")]
