"""The rerun contract: exactly the affected jobs run again."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
AFTER_TRAINING = {
    *("predict_scene", "mosaic_region", "check_maps", "score_tiles", "score_region", "explain_tiles", "render_report")
}


def planned(run: CompletedProcess[str]) -> set[str]:
    """Return the rules that a dry run would execute, from its table of jobs."""
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-4000:]
    if "Nothing to be done" in output:
        return set()
    table = re.search(r"^Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", output, re.M)
    assert table is not None, output[-4000:]
    return {line.split()[0] for line in table[1].splitlines()} - {"all", "total"}


def edit(path: Path, old: str, new: str) -> None:
    """Replace one place in a file."""
    text = path.read_text()
    assert text.count(old) >= 1, (path, old)
    path.write_text(text.replace(old, new, 1))


def assert_map_and_report_without_labels(results: Path) -> None:
    """Check the results of a region without labels."""
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["miou"] is None and metrics["reason"]
    assert sum(row["map_px"] for row in metrics["areas"]) > 0
    assert (results / "south.landcover.tif").exists()
    assert (results / "report.html").stat().st_size > 10_000


def test_only_affected_jobs_rerun(region: Path, project_copy: Path, snakemake: Run):
    def run(*words: str) -> CompletedProcess[str]:
        return snakemake(region, "--configfile", str(region / "config.yaml"), *words, project=project_copy)

    def plan() -> set[str]:
        return planned(run("--dry-run"))

    package = project_copy / "src" / "clairemap"
    first = run()
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-6000:]
    assert_map_and_report_without_labels(region / "results" / "south")
    assert plan() == set()

    # comments and docstrings do not count
    edit(package / "report" / "page.py", '"""', '"""Another first line. ')
    edit(package / "metrics" / "scores.py", "\nimport", "\n# a remark\nimport")
    assert plan() == set()

    # a module that only the report imports
    page = (package / "report" / "page.py").read_text()
    (package / "report" / "page.py").write_text(page + "\nANOTHER_LINE = 1\n")
    assert plan() == {"render_report"}
    (package / "report" / "page.py").write_text(page)
    assert plan() == set()

    # a module that only the registration pictures and the report import
    views = (package / "report" / "registration_views.py").read_text()
    (package / "report" / "registration_views.py").write_text(views + "\nANOTHER_LINE = 1\n")
    assert plan() == {"picture_registration", "render_report"}
    (package / "report" / "registration_views.py").write_text(views)

    # the page's template counts as code
    template = (package / "report" / "page.html.j2").read_text()
    (package / "report" / "page.html.j2").write_text(template + "<!-- more -->")
    assert plan() == {"render_report"}
    (package / "report" / "page.html.j2").write_text(template)

    # a module of the mosaic: rerun the mosaic and the rules that use the maps
    mosaic = (package / "inference" / "mosaic.py").read_text()
    (package / "inference" / "mosaic.py").write_text(mosaic + "\nANOTHER_LINE = 1\n")
    assert plan() == {"mosaic_region", "check_maps", "score_region", "render_report"}
    (package / "inference" / "mosaic.py").write_text(mosaic)

    # the loss: rerun training and later rules, not tiling
    rift = (package / "nets" / "rift.py").read_text()
    (package / "nets" / "rift.py").write_text(rift + "\nANOTHER_LINE = 1\n")
    assert {"train_model"} | AFTER_TRAINING >= plan() >= {"train_model", "predict_scene", "render_report"}
    (package / "nets" / "rift.py").write_text(rift)
    assert plan() == set()

    # a setting reruns only its stage; a colour does not rerun training
    def plan_with(**changed: object) -> set[str]:
        (region / "config.yaml").write_text(yaml.safe_dump({**config, **changed}))
        return plan()

    config = yaml.safe_load((region / "config.yaml").read_text())
    recoloured = [{**entry, "color": "#102030"} for entry in config["legend"]["classes"]]
    assert plan_with(report={"max_tiles": 3}) == {"render_report"}
    assert plan_with(compute={"training_minutes": 60}) == set()
    assert plan_with(legend={"classes": recoloured}) == {"mosaic_region", "check_maps", "score_region", "render_report"}
    assert plan_with() == set()

    # a new test scene is tiled, mapped, audited and scored; training does not rerun
    sheet = (region / "scenes.csv").read_text()
    edit(region / "scenes.csv", "far,south,predict", "far,south,test")
    edit(region / "scenes.csv", "scenes/far/sar.tif,", "scenes/far/sar.tif,scenes/far/label.tif")
    tested = plan()
    assert tested >= {"tile_scene", "audit_splits", "predict_scene", "score_tiles", "score_region", "render_report"}
    assert not tested & {"register_pair", "fit_statistics", "train_model"}
    (region / "scenes.csv").write_text(sheet)
    assert plan() == set()

    # a new modification time reruns nothing; new content reruns the scene and everything that depends on it
    label = region / "scenes" / "west" / "label.tif"
    label.touch()
    assert plan() == set()
    kept = label.read_bytes()
    shutil.copy(region / "scenes" / "middle" / "label.tif", label)
    relabelled = plan()
    assert "tile_scene" in relabelled and "register_pair" not in relabelled
    label.write_bytes(kept)
    assert plan() == set()

    # registration code: tiling reruns only if the registration changes
    judge = (package / "registration" / "judge.py").read_text()
    (package / "registration" / "judge.py").write_text(judge + "\nANOTHER_LINE = 1\n")
    done = run("--until", "register_pair")
    assert done.returncode == 0, done.stderr[-3000:]
    assert plan() <= {"picture_registration", "render_report"}
