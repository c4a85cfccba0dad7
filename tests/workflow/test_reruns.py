"""The rerun contract: exactly what changed is made again."""

import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

pytestmark = pytest.mark.workflow
Run = Callable[..., CompletedProcess[str]]
AFTER_TRAINING = {"predict_scene", "mosaic_region", "score_tiles", "score_region", "explain_tiles", "render_report"}


def planned(run: CompletedProcess[str]) -> set[str]:
    """Return the rules that a dry run would execute."""
    output = run.stdout + run.stderr
    assert run.returncode == 0, output[-4000:]
    if "Nothing to be done" in output:
        return set()
    return set(re.findall(r"^(?:local)?rule (\w+):", output, re.M)) - {"all"}


def edit(path: Path, old: str, new: str) -> None:
    """Replace one place in a file."""
    text = path.read_text()
    assert text.count(old) >= 1, (path, old)
    path.write_text(text.replace(old, new, 1))


def test_exactly_what_changed_is_planned_again(region: Path, project_copy: Path, snakemake: Run):
    def run(*words: str) -> CompletedProcess[str]:
        return snakemake(region, "--configfile", str(region / "config.yaml"), *words, project=project_copy)

    def plan() -> set[str]:
        return planned(run("--dry-run", "--verbose"))

    package = project_copy / "src" / "clairemap"
    first = run()
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-6000:]
    assert plan() == set()

    # comments and docstrings are no code
    edit(package / "report" / "page.py", '"""', '"""Another first line. ')
    edit(package / "metrics" / "scores.py", "\nimport", "\n# a remark\nimport")
    assert plan() == set()

    # a leaf that only the report reaches
    page = (package / "report" / "page.py").read_text()
    (package / "report" / "page.py").write_text(page + "\nANOTHER_LINE = 1\n")
    assert plan() == {"render_report"}
    (package / "report" / "page.py").write_text(page)
    assert plan() == set()

    # a leaf of the mosaic: what is made from the maps follows, nothing above
    mosaic = (package / "inference" / "mosaic.py").read_text()
    (package / "inference" / "mosaic.py").write_text(mosaic + "\nANOTHER_LINE = 1\n")
    assert plan() == {"mosaic_region", "score_region", "render_report"}
    (package / "inference" / "mosaic.py").write_text(mosaic)

    # the loss: training and what follows, no tiling
    rift = (package / "nets" / "rift.py").read_text()
    (package / "nets" / "rift.py").write_text(rift + "\nANOTHER_LINE = 1\n")
    assert {"train_model"} | AFTER_TRAINING >= plan() >= {"train_model", "predict_scene", "render_report"}
    (package / "nets" / "rift.py").write_text(rift)
    assert plan() == set()

    # a setting reaches just its stage
    config = yaml.safe_load((region / "config.yaml").read_text())
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "report": {"max_tiles": 3}}))
    assert plan() == {"render_report"}
    (region / "config.yaml").write_text(yaml.safe_dump({**config, "compute": {"training_minutes": 60}}))
    assert plan() == set()
    (region / "config.yaml").write_text(yaml.safe_dump(config))

    # an input touched but equal is no change; one scene's new content reruns that scene's preparation only
    (region / "scenes" / "east" / "label.tif").touch()
    assert plan() == set()
