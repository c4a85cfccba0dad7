"""Files that are written from others, or must agree with them, do."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from clairemap import errors
from clairemap.config_file import config_schema, default_yaml, sheet_schema
from clairemap.jobs import NETWORK_ENVIRONMENT
from clairemap.operations.costs import DEMO, REGION_RULES
from clairemap.requirements import memory_mb, minutes
from clairemap.scenes import OPTIONAL, REQUIRED
from clairemap.settings import Settings, load_settings

PROJECT = Path(__file__).parents[2]
CONDA_NAMES = {"dask-core": "dask", "matplotlib-base": "matplotlib", "pytorch": "torch"}


def constraints() -> dict[str, str]:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    return {name.lower(): version for name, _, version in (line.partition("==") for line in lines) if version}


def test_default_config_and_schemas_match_the_models():
    schemas = PROJECT / "workflow" / "schemas"
    assert (PROJECT / "config" / "config.yaml").read_text() == default_yaml()
    assert (schemas / "config.schema.json").read_text() == config_schema()
    assert (schemas / "scenes.schema.json").read_text() == sheet_schema()


@pytest.mark.parametrize("path", sorted((PROJECT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_config_file_names_its_schema_and_follows_it(path: Path):
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", path.read_text())
    assert named is not None
    schema = json.loads((path.parent / named[1]).read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize("name", ["geo", "torch", "explain"])
def test_conda_environments_pin_what_is_tested(name: str):
    pinned = constraints()
    for entry in yaml.safe_load((PROJECT / "envs" / f"{name}.yaml").read_text())["dependencies"]:
        if isinstance(entry, dict):
            assert all(
                each.lower() in {f"{package}=={version}" for package, version in pinned.items()}
                for each in entry["pip"]
            )
            continue
        package, _, version = entry.partition("=")
        if package not in ("python", "pip"):
            assert pinned[CONDA_NAMES.get(package, package)] == version


def test_every_error_has_its_own_code_and_is_in_the_docs():
    kinds = errors.ClairemapError.__subclasses__()
    assert len(kinds) > 10
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    page = (PROJECT / "docs" / "errors.md").read_text()
    for kind in kinds:
        assert re.search(rf"^\| {kind.exit_code} \| `{kind.__name__}` \|", page, re.M)


def test_every_rule_has_a_script_and_all_directives():
    rules = "".join(path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk"))
    names = re.findall(r"^rule (\w+):", rules, re.M)
    assert len(names) > 10
    for name in names:
        body = re.split(rf"^rule {name}:$", rules, flags=re.M)[1].split("\nrule ")[0]
        assert (PROJECT / "workflow" / "scripts" / f"{name}.py").is_file()
        for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "params", "message", "shell"):
            assert re.search(rf"^    {directive}:", body, re.M), (name, directive)
        assert f'code=code("{name}")' in body


def test_mapping_is_measured_in_the_environment_that_its_rule_sets():
    benchmark = (PROJECT / "benchmarks" / "inference.py").read_text()
    settings = NETWORK_ENVIRONMENT.split()
    assert len(settings) == 4
    for setting in settings:
        name, _, value = setting.partition("=")
        assert f'"{name}": "{value}"' in benchmark


def test_every_stage_reads_its_settings_with_from_json():
    scripts = [path.read_text() for path in (PROJECT / "workflow" / "scripts").glob("*.py")]
    taking = [text for text in scripts if "settings: Annotated[str" in text]
    assert len(taking) > 10
    assert all(".from_json(settings)" in text and "model_validate" not in text for text in taking)


def undocumented(tree: ast.AST) -> Iterator[str]:
    """Yield the names of public classes, functions and methods without a docstring, also of those in private classes.

    ruff does not look into private classes.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from undocumented(node)
        named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if named and not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield node.name


def test_every_public_name_has_a_docstring():
    paths = [*(PROJECT / "src").rglob("*.py"), *(PROJECT / "workflow" / "scripts").glob("*.py")]
    assert len(paths) > 150
    missing = {path.name: names for path in paths if (names := list(undocumented(ast.parse(path.read_text()))))}
    assert not missing


def test_pre_commit_runs_the_linters_of_the_makefile():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.M)
    assert recipe is not None
    (repository,) = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries == [f".venv/bin/{command.strip()}" for command in recipe[1].splitlines()]


def test_the_guide_to_the_sheet_has_the_columns_of_its_reader():
    guide = (PROJECT / "config" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", guide.split("## Settings")[0], re.M)
    assert rows == list((REQUIRED | OPTIONAL).items())


def test_the_guide_to_the_settings_has_every_section():
    sections = re.search(
        r"^\| section .*\n\|[-|]*\n((?:\|.*\n)+)", (PROJECT / "config" / "README.md").read_text(), re.M
    )
    assert sections is not None
    named = [name for row in sections[1].splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert named == list(Settings.model_fields)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "config/README.md", "docs/tutorial.md"])
def test_pages_refer_to_existing_files(page: str):
    text = (PROJECT / page).read_text()
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    paths = re.findall(r"`((?:src|workflow|docs|tests|benchmarks|config)/[\w./]*)`", text)
    assert links
    for path in [(PROJECT / page).parent / link for link in links] + [PROJECT / path for path in paths]:
        assert path.exists(), path


@pytest.mark.parametrize(
    "result", sorted((PROJECT / "benchmarks" / "results").glob("*.json")), ids=lambda path: path.name
)
def test_results_of_benchmarks_contain_no_paths_of_a_machine(result: Path):
    text = result.read_text()
    assert not re.findall(r"""Traceback|(?<=["\s'])/\w+/[^"]*""", text)


def test_the_image_installs_the_pinned_versions_of_files_that_exist():
    definition = (PROJECT / "envs" / "clairemap.def").read_text()
    copied = re.search(r"^%files\n(.*?)\n\n", definition, re.M | re.S)
    assert copied is not None
    names = [line.split()[0] for line in copied[1].splitlines()]
    assert all((PROJECT / name).exists() for name in names)
    assert "--constraint constraints.txt" in definition and "constraints.txt" in names


def test_every_rule_requests_memory_and_time_and_has_a_time_of_the_demo():
    rules = "".join(path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk"))
    settings = load_settings({})
    for name in re.findall(r"^rule (\w+):", rules, re.M):
        assert name in DEMO
        assert minutes(name, settings) > 0
        assert name == "predict_scene" or memory_mb(name, settings) > 0  # that has `mapping_mb`
    per_region = re.findall(r"BENCHMARKS\}/(\w+)/\{\{region\}\}", rules)
    assert sorted(per_region) == sorted(REGION_RULES)
