"""Which stages an edit of code or settings reruns: the first table of docs/reruns.md, from the rules' parameters.

`test_reruns` shows with Snakemake that these parameters decide.
"""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clairemap import stages
from clairemap.code import stage
from clairemap.settings import DEMO_CLASSES, load_settings

PROJECT = Path(__file__).parents[2]
RULES = sorted(path.stem for path in (PROJECT / "workflow" / "scripts").glob("*.py"))
ELSEWHERE = ("copy_model", "audit_places", "pack_bundle", "dissolve_patches", "vectorize_map", "summarize_region")
"""Rules for models from and for other projects, for post-processing and for a language model: not in the tables, which
are of runs that train."""
OTHERS = (
    *("list_dataset", "list_stac", "simulate_scene", "interpret_demo", "write_config"),
    *("accept_stage", "plan_run", "recover", "show_status"),
)
RULES = [name for name in RULES if name not in (*OTHERS, *ELSEWHERE)]
Edit = Callable[[Path], None]


def replaced(file: str, pattern: str, new: str) -> Edit:
    """An edit of the first place in a file that matches."""

    def edit(package: Path) -> None:
        path = package / file
        text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.S | re.M)
        assert count == 1, (file, pattern)
        path.write_text(text)

    return edit


def added(file: str, line: str) -> Edit:
    """An edit that adds a line at the end of a file."""

    def edit(package: Path) -> None:
        path = package / file
        path.write_text(f"{path.read_text()}\n{line}\n")

    return edit


def in_function(file: str, name: str) -> Edit:
    """An edit that adds a statement before the first `return`, assignment or loop of a function."""
    return replaced(file, rf"^(def {name}\(.*?)^    (return |\w+ = |for )", r"\g<1>    added = 1\n    \g<2>")


CODE: dict[str, Edit] = {
    "a log message in the training loop": replaced("training/loop.py", r'log\.info\("', 'log.info("another: '),
    "a new log message in the training loop": replaced(
        "training/loop.py", r"^    source = job\.source\(\)$", '    log.info("%d", 1)\n    source = job.source()'
    ),
    "the text of an error in training": replaced("training/loop.py", r'f"time limit of', 'f"another limit of'),
    "a new class of error": added("errors.py", 'class MadeUpError(ClairemapError):\n    """Made up."""'),
    "the exit code of an error": replaced("errors.py", r"exit_code = 21", "exit_code = 31"),
    "the base class of an error that only training raises": replaced(
        "errors.py", r"class TrainingError\(ClairemapError\)", "class TrainingError(BundleError)"
    ),
    "an edit of the progress bar (`console.py`)": replaced("console.py", r"reported = now$", "reported = now + 1"),
    "the label of a progress bar": replaced("inference/mosaic.py", r'batches, "mosaic"', 'batches, "merging"'),
    "the version of the package": replaced("__init__.py", r'^__version__ = ".*?"', '__version__ = "9.9.9"'),
    "a docstring": replaced("training/loop.py", r'"""Return the network with', '"""Give the network with'),
    "comments and layout": replaced("nets/rift.py", r"^WEIGHT_RANGE = \(", "# limits\nWEIGHT_RANGE = (\n "),
    "a type annotation of a function": replaced("nets/rift.py", r"dtype: torch\.dtype\)", "dtype: int)"),
    "the description of a setting": replaced("settings/training.py", r'"peak learning rate"', '"learning rate"'),
    "a new function that nothing uses": added("nets/rift.py", "def unused() -> int:\n    return 1"),
    "an unused import of a module of the package": replaced(
        "nets/rift.py", r"^import torch$", "import torch\n\nfrom clairemap import levels"
    ),
    "a constant of the loss": replaced("nets/rift.py", r"^WEIGHT_RANGE = \(0\.2,", "WEIGHT_RANGE = (0.1,"),
    "a function of the loss": replaced("nets/rift.py", r"^(def _power.*?\n    return )", r"\g<1>1 * "),
    "a layer of the network": replaced(
        "nets/layers.py", r"^(class ConvNextBlock.*?\n    def forward.*?\n        return )", r"\g<1>1 * "
    ),
    "a function that decides on offsets": in_function("sources/offsets.py", "_by_metadata"),
    "a function of registration": in_function("registration/judge.py", "judge"),
    "a function of the mosaic": in_function("inference/mosaic.py", "mosaic"),
    "a new metric": in_function("metrics/region_metrics.py", "scope"),
    "a function of the score of the map": in_function("metrics/map_counts.py", "summed"),
    "a function of the report page": in_function("report/page.py", "render"),
    "the template of the report page": added("report/page.html.j2", "<!-- more -->"),
    "the decorator of a function of validation": replaced("training/validation.py", r"^@torch\.no_grad\(\)\n", ""),
    "the default value of a function's parameter in tiling": replaced(
        "registration/sources.py", r"zero_is_data: bool = False", "zero_is_data: bool = True"
    ),
    "the base class of all sections of the settings": replaced(
        "settings/section.py", r"allow_inf_nan=False", "allow_inf_nan=True"
    ),
    "a statement of the package that sets an environment variable": added(
        "__init__.py", "import os\n\nos.environ['GDAL_CACHEMAX'] = '64'"
    ),
}

NEUTRAL = (
    "a log message in the training loop",
    "a new log message in the training loop",
    "the text of an error in training",
    "a new class of error",
    "the exit code of an error",
    "an edit of the progress bar (`console.py`)",
    "the label of a progress bar",
    "the version of the package",
    "a docstring",
    "comments and layout",
    "a type annotation of a function",
    "the description of a setting",
    "a new function that nothing uses",
    "an unused import of a module of the package",
)
"""Edits of code that rerun nothing."""

CLASSES = [entry.model_dump() for entry in DEMO_CLASSES]
MODEL = {"model": "somewhere"}
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "setting `training.checkpoint_every`": ({}, {"training": {"checkpoint_every": 7}}),
    "setting `splits.accept_leakage`": ({}, {"splits": {"accept_leakage": True}}),
    "setting `explain.sensor_tiles`": ({}, {"explain": {"sensor_tiles": 7}}),
    "setting `explain.batch_size`, without a language model": ({}, {"explain": {"batch_size": 7}}),
    "setting `explain.batch_size`, with a language model": (
        {"explain": MODEL},
        {"explain": {**MODEL, "batch_size": 7}},
    ),
    "setting `compute.device`": ({}, {"compute": {"device": "cpu"}}),
    "setting `compute.training_processes`": ({}, {"compute": {"training_processes": 2}}),
    "setting `compute.training_minutes`": ({}, {"compute": {"training_minutes": 60}}),
    "setting `compute.mapping_memory_mb`": ({}, {"compute": {"mapping_memory_mb": 5000}}),
    "setting `compute.tensorboard`": ({}, {"compute": {"tensorboard": True}}),
    "setting `training.learning_rate`": ({}, {"training": {"learning_rate": 1e-4}}),
    "setting `network.size`": ({}, {"network": {"size": "small"}}),
    "setting `augmentation.clouds`": ({}, {"augmentation": {"clouds": 0.1}}),
    "setting `seed`": ({}, {"seed": 1}),
    "setting `splits.buffer_px`": ({}, {"splits": {"buffer_px": 300}}),
    "setting `sensors.optical.files`": ({}, {"sensors": {"optical": {"files": {"red": "*_B04_*"}}}}),
    "setting `sensors.optical.offset`": ({}, {"sensors": {"optical": {"offset": -1000}}}),
    "setting `sensors.optical.cloud_classes`": ({}, {"sensors": {"optical": {"cloud_classes": [8, 9]}}}),
    "setting `registration.max_shift_px`": ({}, {"registration": {"max_shift_px": 50}}),
    "setting `labels.field`": ({}, {"labels": {"field": "code"}}),
    "setting `labels.ignore`": ({}, {"labels": {"ignore": ["clouds"]}}),
    "setting `labels.product`": ({}, {"labels": {"product": "ESA WorldCover 2021"}}),
    "setting `sensors.sar.speckle_filter`": ({}, {"sensors": {"sar": {"speckle_filter": "none"}}}),
    "setting `sensors.optical.display`": ({}, {"sensors": {"optical": {"display": ["nir", "red", "green"]}}}),
    "setting `tiling.tile_px`": ({}, {"tiling": {"tile_px": 256}}),
    "setting `inference.halo_px`": ({}, {"inference": {"halo_px": 64}}),
    "setting `mosaic.compress`": ({}, {"mosaic": {"compress": "ZSTD"}}),
    "setting `metrics.boundary_tolerance_px`": ({}, {"metrics": {"boundary_tolerance_px": 3}}),
    "setting `accuracy.units`": ({}, {"accuracy": {"units": 300}}),
    "setting `accuracy.columns`": ({}, {"accuracy": {"columns": {"reference": "Klasse"}}}),
    "setting `accuracy.interpreted`": ({}, {"accuracy": {"interpreted": "points/{region}.csv"}}),
    "setting `accuracy.zones`, not as strata": ({}, {"accuracy": {"zones": "zones.gpkg", "zone_field": "name"}}),
    "setting `report.title`": ({}, {"report": {"title": "A title"}}),
    "the name of a class": ({}, {"legend": {"classes": [{**CLASSES[0], "name": "lake"}, *CLASSES[1:]]}}),
    "the colour of a class": ({}, {"legend": {"classes": [{**CLASSES[0], "color": "#102030"}, *CLASSES[1:]]}}),
    "`from` of a class": ({}, {"legend": {"classes": [{**CLASSES[0], "from": [1, 80]}, *CLASSES[1:]]}}),
    "a new class": ({}, {"legend": {"classes": [*CLASSES, {"code": 9, "name": "snow", "color": "#ffffff"}]}}),
}


@pytest.fixture
def listed(rerun_tables: ModuleType) -> dict[str, set[str]]:
    """The stages that rerun after each edit, from the page."""
    rows = rerun_tables.table("## Edits of code and settings")
    return {edit: rerun_tables.stages_of(cell) for edit, cell in rows.items()}


def test_the_table_has_exactly_these_edits(listed: dict[str, set[str]]):
    assert list(listed) == [*CODE, *SETTINGS]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that a test may edit, and must restore."""
    copy = tmp_path_factory.mktemp("checkout")
    shutil.copytree(PROJECT / "src" / "clairemap", copy / "clairemap", ignore=shutil.ignore_patterns("__pycache__"))
    return copy / "clairemap"


@pytest.fixture(scope="module")
def known(checkout: Path) -> dict[str, dict[str, str]]:
    return hashes(checkout)


def hashes(package: Path) -> dict[str, dict[str, str]]:
    stage._state.cache_clear()
    return {name: stage.definitions(PROJECT / "workflow" / "scripts" / f"{name}.py", package) for name in RULES}


def changed_definitions(checkout: Path, known: dict[str, dict[str, str]], edits: Iterable[str]) -> dict[str, set[str]]:
    """Return the changed definitions of each stage that reruns after some edits of the code; undo the edits."""
    kept = {path: path.read_bytes() for path in checkout.rglob("*") if path.suffix in (".py", ".j2")}
    try:
        for edit in edits:
            CODE[edit](checkout)
        found = hashes(checkout)
    finally:
        for path, content in kept.items():
            if path.read_bytes() != content:
                path.write_bytes(content)
    changes = {
        rule: {name for name in {*known[rule], *found[rule]} if known[rule].get(name) != found[rule].get(name)}
        for rule in RULES
    }
    return {rule: names for rule, names in changes.items() if names}


def test_edits_of_code_that_rerun_nothing_in_the_table(
    checkout: Path, known: dict[str, dict[str, str]], listed: dict[str, set[str]]
):
    """All at once: if no hash changes, none of them changes one."""
    assert {edit for edit in CODE if not listed[edit]} == set(NEUTRAL)
    assert changed_definitions(checkout, known, NEUTRAL) == {}


@pytest.mark.parametrize("edit", [edit for edit in CODE if edit not in NEUTRAL])
def test_an_edit_of_code_reruns_the_stages_in_the_table(
    edit: str, checkout: Path, known: dict[str, dict[str, str]], listed: dict[str, set[str]]
):
    changes = changed_definitions(checkout, known, [edit])
    assert changes.keys() == listed[edit], changes


def test_all_stages_have_settings_except_these(rerun_tables: ModuleType):
    assert set(rerun_tables.STAGES) - set(_stage_models()) == rerun_tables.WITHOUT_SETTINGS


def _stage_models() -> dict[str, type[stages.StageSettings]]:
    """The settings of each stage, as the rules have them."""
    rules = "".join(path.read_text() for path in sorted((PROJECT / "workflow" / "rules").glob("*.smk")))
    found = re.findall(r"^rule (\w+):(?:(?!^rule ).)*?relevant=relevant\(stages\.(\w+)\)", rules, re.S | re.M)
    return {rule: getattr(stages, name) for rule, name in found if rule not in ELSEWHERE}


@pytest.mark.parametrize("edit", SETTINGS)
def test_an_edit_of_settings_reruns_the_stages_in_the_table(edit: str, listed: dict[str, set[str]]):
    before, after = map(load_settings, SETTINGS[edit])
    assert before != after
    changed = {
        rule
        for rule, model in _stage_models().items()
        if stages.relevant_json(before, model) != stages.relevant_json(after, model)
    }
    assert changed == listed[edit]
