"""The rerun contract: exactly the affected jobs run again; docs/reruns.md has the tables."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType

import pytest
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]


def planned(run: CompletedProcess[str]) -> set[str]:
    """Return the rules that a dry run would execute, from its table of jobs."""
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-4000:]
    if "Nothing to be done" in output:
        return set()
    table = re.search(r"^Job stats:\n.*\n-.*\n((?:\w+ +\d+\n)+)", output, re.M)
    assert table is not None, output[-4000:]
    return {line.split()[0] for line in table[1].splitlines()} - {"all", "total"}


def edits_of_scenes(region: Path, write_scene: Callable[..., None]) -> dict[str, Callable[[], None]]:
    """Return the edits of scenes and files in the order of the table; all can be undone by copying the folder back."""
    sheet, west = region / "scenes.csv", region / "scenes" / "west"

    def reorder_rows() -> None:
        header, *rows = sheet.read_text().splitlines()
        sheet.write_text("\n".join([header, *reversed(rows)]) + "\n")

    def reorder_columns() -> None:
        rows = [line.split(",") for line in sheet.read_text().splitlines()]
        sheet.write_text("\n".join(",".join(reversed(row)) for row in rows) + "\n")

    def move_data() -> None:
        shutil.copytree(region / "scenes", region / "elsewhere" / "scenes", copy_function=shutil.copyfile)
        shutil.rmtree(region / "scenes")
        configure(region, data_dir="elsewhere")

    def touch() -> None:
        (west / "label.tif").write_bytes((west / "label.tif").read_bytes())

    def date_in_the_future() -> None:
        os.utime(west / "optical.tif", (time.time() + 1e6, time.time() + 1e6))

    def add_scene() -> None:
        write_scene(region / "scenes", "new", 470)
        sheet.write_text(sheet.read_text() + "new,north,predict,scenes/new/optical.tif,scenes/new/sar.tif,\n")

    def label_scene() -> None:
        edit(sheet, "far,south,predict", "far,south,test")
        edit(sheet, "scenes/far/sar.tif,", "scenes/far/sar.tif,scenes/far/label.tif")

    def replace_by_older() -> None:
        other = (region / "scenes" / "middle" / "label.tif").read_bytes()
        assert len(other) == (west / "label.tif").stat().st_size, "a replaced file of another size is easier to notice"
        (west / "label.tif").write_bytes(other)
        os.utime(west / "label.tif", (1e9, 1e9))

    def remove_scene() -> None:
        lines = sheet.read_text().splitlines()
        sheet.write_text("\n".join(line for line in lines if not line.startswith("second")) + "\n")

    return {
        "the rows of the sheet in another order": reorder_rows,
        "the columns of the sheet in another order": reorder_columns,
        "`data_dir` moved, with the same files": move_data,
        "a source copied, so that it has a new date": touch,
        "a source dated in the future": date_in_the_future,
        "a scene added to be mapped only": add_scene,
        "an unlabelled scene gets labels for testing": label_scene,
        "a label raster replaced by an older file of another content": replace_by_older,
        "a training scene removed": remove_scene,
        "setting `metrics.compare_sensors`": lambda: configure(region, metrics={"compare_sensors": False}),
    }


def configure(region: Path, **changed: object) -> None:
    """Change sections of the config file."""
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, **changed}))


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


def test_only_affected_jobs_rerun(
    region: Path, project_copy: Path, snakemake: Run, rerun_tables: ModuleType, write_scene: Callable[..., None]
):
    def run(*words: str) -> CompletedProcess[str]:
        return snakemake(region, "--configfile", str(region / "config.yaml"), *words, project=project_copy)

    def plan() -> set[str]:
        return planned(run("--dry-run"))

    # a second training scene, which an edit removes
    write_scene(region / "scenes", "second", 120)
    files = ",".join(f"scenes/second/{role}.tif" for role in ("optical", "sar", "label"))
    (region / "scenes.csv").write_text((region / "scenes.csv").read_text() + f"second,north,train,{files}\n")

    package = project_copy / "src" / "clairemap"
    first = run()
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-6000:]
    assert_map_and_report_without_labels(region / "results" / "south")
    assert plan() == set()

    # edits of scenes and files: the second table
    rows = rerun_tables.table("## Edits of scenes and files")
    edits = edits_of_scenes(region, write_scene)
    assert list(rows) == list(edits)
    kept = region.with_name("kept")
    found = {}
    for name, make in edits.items():
        shutil.copytree(region, kept, symlinks=True)
        make()
        found[name] = plan()
        shutil.rmtree(region)
        kept.rename(region)
    assert found == {name: rerun_tables.stages_of(cell) for name, cell in rows.items()}
    assert plan() == set()

    # edits of code and settings: `test_rerun_parameters` has all; these show that the parameters decide
    with_readers = rerun_tables.with_readers
    for file, old, new, stages in (
        ("training/loop.py", 'log.info("', 'log.info("another: ', set()),
        ("console.py", "reported = now", "reported = now + 1", set()),
        ("report/page.py", "page=content,", "page=content, more=1,", {"render_report"}),
        ("nets/rift.py", "WEIGHT_RANGE = (0.2,", "WEIGHT_RANGE = (0.1,", with_readers({"train_model"})),
    ):
        text = (package / file).read_text()
        edit(package / file, old, new)
        assert plan() == stages, file
        (package / file).write_text(text)
    config = (region / "config.yaml").read_text()
    recoloured = [{**entry, "color": "#102030"} for entry in yaml.safe_load(config)["legend"]["classes"]]
    renamed = [{**entry, "name": f"new {entry['name']}"} for entry in yaml.safe_load(config)["legend"]["classes"]]
    drawn = with_readers({"mosaic_region", "check_maps"})
    for changed, stages in (
        ({"training": {**yaml.safe_load(config)["training"], "checkpoint_every": 3}}, set()),
        ({"compute": {"training_minutes": 60}}, set()),
        ({"report": {"max_tiles": 3}}, {"render_report"}),
        ({"legend": {"classes": recoloured}}, drawn),
        ({"legend": {"classes": renamed}}, drawn | {"explain_tiles"}),
    ):
        configure(region, **changed)
        assert plan() == stages, changed
        (region / "config.yaml").write_text(config)

    # new names of classes reach maps and report without training; a date in the future does not stop the run
    configure(region, legend={"classes": renamed})
    os.utime(region / "scenes" / "west" / "sar.tif", (time.time() + 1e6, time.time() + 1e6))
    done = run()
    assert done.returncode == 0, done.stderr[-6000:]
    assert "sar.tif: its date is in the future" in done.stderr
    assert "new water" in (region / "results" / "north" / "north.model.json").read_text()
    report = (region / "results" / "north" / "report.html").read_text()
    assert "new water" in report and "new new" not in report
    assert plan() == set()

    # registration code: tiling reruns only if the registration changes
    edit(package / "registration" / "judge.py", "GOOD_COVERAGE = 0.6", "GOOD_COVERAGE = 0.600001")
    done = run("--until", "register_pair")
    assert done.returncode == 0, done.stderr[-3000:]
    assert plan() <= {"picture_registration", "render_report"}
