"""The tutorial's commands, run as printed, only on smaller scenes and with fewer steps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow
PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.M | re.S)
SMALLER = {"--size-px 512": "--size-px 256", "steps: 100": "steps: 4", "steps: 200": "steps: 5"}


def jobs(text: str) -> dict[str, int]:
    """Return the counts of the first table of jobs in a text."""
    table = re.search(r"^job +count\n-.*\n((?:\w+ +\d+\n)+)", text, re.M)
    return {name: int(count) for name, count in re.findall(r"(\w+) +(\d+)\n", table[1])} if table else {}


def test_the_tutorial_runs_as_printed(project_copy: Path):
    activate = project_copy / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()  # the environment of this test is active already
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(project_copy / "src"),
        "OMP_NUM_THREADS": "1",
    }
    output = ""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for kind, text in blocks:
        if kind == "text":
            assert jobs(text) == jobs(output)
            assert jobs(text) or text.split() == output.split()[-len(text.split()) :]
            continue
        for printed, smaller in SMALLER.items():
            text = text.replace(printed, smaller)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=project_copy, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        output = done.stdout
        assert done.returncode == 0, f"{text}\n{output[-4000:]}"
    assert len(blocks) == 13
    assert sum(bool(jobs(text)) for _, text in blocks) == 3
    assert (project_copy / "tutorial" / "results" / "bay" / "bay.landcover.tif").is_file()
