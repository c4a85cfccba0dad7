"""The list of what changes no result fits the package, and the package needs no fallback."""

import ast
from pathlib import Path

import pytest

from clairemap.code import neutral
from clairemap.code.module import Module
from clairemap.code.package import Package
from clairemap.code.reach import Analysis
from clairemap.provenance import PACKAGE, stage_code, stage_definitions

SCRIPTS = sorted((Path(__file__).parents[3] / "workflow" / "scripts").glob("*.py"))
COMMANDS = ("accept_stage", "list_stac", "plan_run", "recover", "show_status")
SCRIPTS = [path for path in SCRIPTS if path.stem not in COMMANDS]


@pytest.mark.parametrize("name", sorted({*neutral.NEUTRAL, neutral.WARN, neutral.PROGRESS}))
def test_all_neutral_names_exist(name: str):
    module, _, attribute = name.rpartition(".")
    assert attribute in Package(PACKAGE).module(module).definitions


def test_all_errors_derive_from_one_and_have_an_exit_code():
    """Only these members of error classes do not count."""
    module = Module(neutral.ERRORS, PACKAGE / f"{neutral.ERRORS}.py")
    classes = [statement for statement in module.statements if isinstance(statement, ast.ClassDef)]
    names = {node.name for one in classes for node in one.body if isinstance(node, ast.FunctionDef)}
    assert names <= neutral.ERROR_MEMBERS
    assert len(classes) > 15


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_stage_counts_a_module_as_a_whole(script: Path):
    """Not an error, but it would cost reruns: look for the name that cannot be resolved."""
    found = ANALYSIS.reached(script)
    assert not found.whole and not found.as_written


ANALYSIS = Analysis(Package(PACKAGE))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_stage_depends_on_its_own_analysis_or_on_the_console(script: Path):
    names = stage_definitions(script)
    assert not [name for name in names if name.startswith(("clairemap.code.", "clairemap.console."))]
    assert f"{script.stem}.(statements)" in names
    assert len(stage_code(script)) == 16
