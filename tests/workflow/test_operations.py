"""make plan, make status and make accept around real runs of a small region."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
AFTER_ACCEPTING = {"mosaic_region", "check_maps", "score_region", "render_report"}


class Commands:
    """The commands of a project for a region; `show` returns what one prints, `refusal` its error message."""

    def __init__(self, region: Path, project: Path, run_script: Run) -> None:
        self.region, self.project, self.run_script = region, project, run_script

    def run(self, script: str, *options: str, snakemake: tuple[str, ...] = ()) -> CompletedProcess[str]:
        config = () if "--configfile" in snakemake else ("--configfile", "config.yaml")
        fixed = (*config, "--snakefile", str(self.project / "Snakefile"))
        path = self.project / "workflow" / "scripts" / f"{script}.py"
        return self.run_script(self.region, path, *options, "--", *fixed, *snakemake)

    def show(self, script: str, *options: str, snakemake: tuple[str, ...] = ()) -> str:
        done = self.run(script, *options, snakemake=snakemake)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, script: str, *options: str, snakemake: tuple[str, ...] = ()) -> str:
        done = self.run(script, *options, snakemake=snakemake)
        assert done.returncode == 29, done.stdout + done.stderr
        return done.stderr


@pytest.fixture
def commands(region: Path, project_copy: Path, run_script: Run) -> Commands:
    return Commands(region, project_copy, run_script)


def planned(text: str) -> dict[str, int]:
    """Return the number of jobs by stage in the table of a plan."""
    if text.startswith("Nothing to run"):
        return {}
    rows = text.split("\n\n")[1].splitlines()[1:-1]
    return {row.split()[0]: int(row.split()[1]) for row in rows}


def set_config(region: Path, **changed: object) -> None:
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, **changed}))


def test_plan_status_and_accept(region: Path, project_copy: Path, snakemake: Run, commands: Commands):
    sheet = (region / "scenes.csv").read_text().splitlines()
    (region / "scenes.csv").write_text("\n".join(sheet[:3]) + "\n")  # two scenes suffice

    def run(*words: str) -> CompletedProcess[str]:
        return snakemake(region, "--configfile", str(region / "config.yaml"), *words, project=project_copy)

    def plan(*snakemake: str) -> str:
        return commands.show("plan_run", snakemake=snakemake)

    def accept(*stages: str) -> str:
        return commands.show("accept_stage", "--yes", *(f"--stage={stage}" for stage in stages))

    # before the first run
    first = plan("--cores", "3")
    total = sum(planned(first).values())
    assert first.startswith(f"{total} of {total} jobs would run.\n") and "missing: no result yet" in first
    assert "with 3 core(s)" in first and "scaled from the demo on 2 CPU cores" in first
    assert "no run was started with this work_dir" in commands.refusal("show_status")

    done = run()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert plan() == f"Nothing to run: the results of all {total} jobs are up to date.\n"
    status = commands.show("show_status")
    assert f"finished. {total} of {total} jobs are done." in status
    assert "make plan" in status

    # settings, by key, with the old and the new value; costs from this run's benchmarks
    before = (region / "config.yaml").read_text()
    training = yaml.safe_load(before)["training"]
    set_config(region, training={**training, "steps": 12})
    changed = plan()
    assert "setting changed: training.steps: 8 -> 12" in changed
    assert "runs after: train_model" in changed and "from benchmarks of earlier jobs here" in changed
    assert "tile_scene" not in planned(changed)
    (region / "config.yaml").write_text(before)

    # a changed input file and a missing result
    label = region / "scenes" / "middle" / "label.tif"
    labels = label.read_bytes()
    label.write_bytes(labels[:-1] + b"1")
    newer = plan()
    assert "content of input files" in newer and "label.tif" in newer and planned(newer)["tile_scene"] == 1, newer
    label.write_bytes(labels)
    for name in ("report.html", "north.qgs"):
        (region / "results" / "north" / name).unlink()
    lost = plan()
    assert "missing: no result yet" in lost and planned(lost) == {"render_report": 1}

    # code: which definition
    loop = project_copy / "src" / "clairemap" / "training" / "loop.py"
    unchanged = loop.read_text()
    loop.write_text(unchanged.replace("range(step * batch_size + ", "range(step * batch_size + 0 + "))
    edited = plan()
    assert planned(edited)["train_model"] == 1
    assert "code changed: training.loop" in edited
    assert "make accept STAGE=train_model" in edited

    # not without the user's yes; not if a setting changed too
    assert "add YES=1" in commands.refusal("accept_stage", "--stage=train_model")
    set_config(region, training={**training, "steps": 12})
    message = commands.refusal("accept_stage", "--yes", "--stage=train_model")
    assert "train_model cannot be accepted: setting training.steps: 8 -> 12" in message
    (region / "config.yaml").write_text(before)
    assert plan() == edited

    # accepted: only the cheap stages run that write it down
    weights = (region / "work" / "model" / "model.safetensors").read_bytes()
    card = (region / "work" / "model" / "model.json").read_bytes()
    said = accept("train_model")
    assert "train_model: keep 1 result(s)" in said and "made by:       clairemap 0.1.0" in said
    after = plan()
    assert set(planned(after)) == AFTER_ACCEPTING
    assert "work/accepted/train_model.json" in after
    assert run().returncode == 0
    assert plan().startswith("Nothing to run")
    assert (region / "work" / "model" / "model.safetensors").read_bytes() == weights
    assert (region / "work" / "model" / "model.json").read_bytes() == card
    item = json.loads((region / "results" / "north" / "north.item.json").read_text())
    (kept,) = item["properties"]["clairemap:accepted"]
    assert kept["stage"] == "train_model" and kept["made_by"].startswith("0.1.0 (")
    delivered = json.loads((region / "results" / "north" / "north.model.json").read_text())
    assert delivered["accepted"] == [kept]
    assert "Accepted: train_model" in (region / "results" / "north" / "report.html").read_text()
    assert "nothing to accept; its results are up to date" in commands.refusal(
        "accept_stage", "--yes", "--stage=train_model"
    )

    # a further change of the code counts
    loop.write_text(unchanged)
    assert planned(plan())["train_model"] == 1


def test_unknown_and_recording_stages_cannot_be_accepted(commands: Commands):
    def message(stage: str) -> str:
        return commands.refusal("accept_stage", "--yes", f"--stage={stage}")

    assert "unknown stage (did you mean train_model?)" in message("train_modle")
    assert "cannot be accepted, because it writes into maps or report" in message("mosaic_region")
    assert "no stage named" in message("")
    assert "train_model cannot be accepted: no result yet" in message("train_model")


def test_errors_of_the_command_line_and_settings_are_short(region: Path, commands: Commands):
    wrong = commands.refusal("plan_run", snakemake=("--no-such-option",))
    assert "options of snakemake (ARGS): unrecognized arguments: --no-such-option" in wrong
    absent = commands.refusal("plan_run", snakemake=("--configfile", "absent.yaml"))
    assert "absent.yaml" in absent and "Traceback" not in absent
    done = commands.run("plan_run", snakemake=("--configfile", "config.yaml", "--configfile", "absent.yaml"))
    assert done.returncode == 10 and "--configfile is given 2 times" in done.stderr
    set_config(region, training={"stepz": 1})
    done = commands.run("plan_run")
    assert done.returncode == 10 and "training.stepz" in done.stderr
    done = commands.run("show_status")
    assert done.returncode == 10 and "training.stepz" in done.stderr


def test_a_failed_job_is_shown_with_its_reason(region: Path, project_copy: Path, snakemake: Run, commands: Commands):
    sheet = (region / "scenes.csv").read_text().splitlines()
    (region / "scenes.csv").write_text("\n".join(sheet[:2]) + "\n")
    (region / "scenes" / "west" / "sar.tif").write_bytes(b"not a raster")
    done = snakemake(
        region, "--configfile", str(region / "config.yaml"), "--until", "register_pair", project=project_copy
    )
    assert done.returncode == 1
    status = commands.show("show_status")
    assert "ended with failed jobs" in status
    assert (
        "register_pair west: " in status and "sar.tif" in status and "log: work/logs/register_pair/west.log" in status
    )
