"""Rules and scripts match: each command of the workflow has exactly the options of its script."""

import inspect
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from types import ModuleType
from typing import Any

import pytest
import typer
import yaml

from clairemap.artefacts.model_card import write_model_card

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
Stage = Callable[[str], Callable[..., Any]]
Parse = Callable[[str, list[str]], dict[str, Any]]

PROJECT = Path(__file__).parents[2]
SCRIPTS = {path.stem for path in (PROJECT / "workflow" / "scripts").glob("*.py")}
RULES = {
    name
    for path in (PROJECT / "workflow" / "rules").glob("*.smk")
    for name in re.findall(r"^rule (\w+):", path.read_text(), re.MULTILINE)
}
OPTIONAL = {"burn_labels", "resolve_scene", "dissolve_patches", "vectorize_map", "summarize_region"}
ELSEWHERE = {"copy_model", "audit_places", "pack_bundle", *OPTIONAL} - {"burn_labels"}
"""Rules for models from and for other projects; for products and post-processing: test_sources, test_deliver."""
SAMPLED = {"draw_sample", "interpret_demo", "estimate_areas"}
"""Rules that only run for an interpreted sample."""
COMMAND = re.compile(r"/workflow/scripts/(\w+)\.py (.*)$", re.MULTILINE)


@pytest.fixture
def parse(stage: Stage) -> Parse:
    """Return ``parse(rule, words)``, which returns the arguments of the rule's script."""

    def values(name: str, words: list[str]) -> dict[str, Any]:
        app = typer.Typer(add_completion=False)
        app.command()(stage(name))
        with typer.main.get_command(app).make_context(name, list(words)) as context:
            return context.params

    return values


def commands(run: CompletedProcess[str]) -> list[tuple[str, list[str]]]:
    """Return rule and words of each command line in a dry run's output."""
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-4000:]
    return [(name, shlex.split(words)) for name, words in COMMAND.findall(output)]


def planned(snakemake: Run, folder: Path, config: Path) -> list[tuple[str, list[str]]]:
    return commands(snakemake(folder, "--configfile", str(config), "--dry-run", "--printshellcmds", "--forceall"))


def test_every_command_of_the_demo_parses(tmp_path: Path, snakemake: Run, parse: Parse, stage: Stage):
    (tmp_path / "config").mkdir()
    shutil.copy(PROJECT / "config" / "scenes.csv", tmp_path / "config")
    shown = planned(snakemake, tmp_path, PROJECT / "config" / "demo.yaml")
    # The demo's labels are rasters.
    assert {name for name, _ in shown} == (SCRIPTS & RULES) - ELSEWHERE - {"burn_labels"}
    for name, words in shown:
        values = parse(name, words)
        assert set(values) == set(inspect.signature(stage(name)).parameters)
        given = {word.split("=")[0][2:].replace("-", "_") for word in words if word.startswith("--")}
        assert given and not [option for option in given if values[option] in (None, [], ())]


def test_commands_of_a_region_without_labels_parse(region: Path, snakemake: Run, parse: Parse):
    """Includes what changes command lines: several training processes, a time limit, polygons as labels."""
    (region / "scenes.csv").write_text(
        "scene,region,split,optical,sar,label,optical_date\n"
        "west,north,train,scenes/west/optical.tif,scenes/west/sar.tif,scenes/west/fields.gpkg,2026-05-14\n"
        "middle,south,predict,scenes/middle/optical.tif,,,\n"
        "east,south,predict,,scenes/east/sar.tif,,\n"
    )
    config = yaml.safe_load((region / "config.yaml").read_text())
    compute = {"training_processes": 2, "training_minutes": 30, "tensorboard": True}
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "compute": compute}))
    shown = planned(snakemake, region, region / "config.yaml")
    parsed = {(name, words[1]): parse(name, words) for name, words in shown}
    assert not parsed["score_region", "south"].get("scores")
    assert len(parsed["score_region", "north"]["scores"]) == 1
    assert parsed["render_report", "south"]["maps"] == [Path("results/south/south")]
    assert parsed["tile_scene", "west"]["burnt_label"] == Path("work/scenes/west/label.tif")
    assert parsed["tile_scene", "west"]["label"] is None
    assert parsed["render_report", "north"]["label_counts"] == [Path("work/scenes/west/label.json")]
    (training,) = [values for (name, _), values in parsed.items() if name == "train_model"]
    assert (training["minutes"], training["tensorboard"]) == (30, Path("work/tensorboard"))
    assert {name for name, _ in shown} == (SCRIPTS & RULES) - {"simulate_scene"} - SAMPLED - ELSEWHERE


def test_commands_with_a_language_model_parse(region: Path, snakemake: Run, parse: Parse):
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "explain": {"model": "some/model"}}))
    shown = planned(snakemake, region, region / "config.yaml")
    parsed = {(name, " ".join(words)): parse(name, words) for name, words in shown}
    summaries = [values for (name, _), values in parsed.items() if name == "summarize_region"]
    reports = [values for (name, _), values in parsed.items() if name == "render_report"]
    assert {values["summary"] for values in summaries} == {values["summary"] for values in reports}
    assert Path("work/summaries/south.json") in {values["summary"] for values in reports}
    assert all(values["explanations"] for values in summaries)


def test_commands_of_models_from_and_for_other_projects_parse(
    region: Path, snakemake: Run, parse: Parse, made_artefacts: ModuleType
):
    config = yaml.safe_load((region / "config.yaml").read_text())
    sheet = (region / "scenes.csv").read_text().splitlines()
    (region / "scenes.csv").write_text("\n".join([f"{sheet[0]},sar_date", *(f"{row},2026-05-14" for row in sheet[1:])]))
    words = ("--configfile", str(region / "config.yaml"), "--dry-run", "--printshellcmds", "--", "pack_bundle")
    packing = {name: parse(name, words) for name, words in commands(snakemake(region, *words))}["pack_bundle"]
    assert packing["dates"] == ["middle=2026-05-14", "west=2026-05-14"] and len(packing["metrics"]) == 1

    (region / "given").mkdir()
    (region / "given" / "model.safetensors").touch()
    write_model_card(region / "given" / "model.json", made_artefacts.model_card())
    (region / "scenes.csv").write_text("\n".join([sheet[0], *sheet[3:]]) + "\n")  # test and predict
    own = {name: value for name, value in config.items() if name not in ("legend", "sensors")}
    (region / "config.yaml").write_text(yaml.safe_dump({**own, "model": "given"}))
    shown = planned(snakemake, region, region / "config.yaml")
    parsed = {(name, words[1]): parse(name, words) for name, words in shown}
    trained = {"simulate_scene", "fit_statistics", "collect_radiometry", "train_model", "audit_splits", "pack_bundle"}
    assert {name for name, _ in shown} == (SCRIPTS & RULES) - trained - SAMPLED - OPTIONAL
    (copying,) = [values for (name, _), values in parsed.items() if name == "copy_model"]
    assert copying == {"given": Path("given"), "model": Path("work/given_model")}
    audited = [values["tiles"] for (name, _), values in parsed.items() if name == "audit_places"]
    assert sorted(len(tiles or ()) for tiles in audited) == [0, 1]  # one region has no labels


@pytest.mark.parametrize(("old", "new"), [("--scene", "--scenery"), ("--directory data", "")])
def test_wrong_and_missing_options_are_found(old: str, new: str, parse: Parse):
    words = "--scene west --directory data"
    assert parse("simulate_scene", words.split())["scene"] == "west"
    with pytest.raises(Exception, match=r"No such option: --scenery|Missing parameter: directory"):
        parse("simulate_scene", words.replace(old, new).split())
