"""As many jobs with a GPU run at once as the SLURM profile allows."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.cluster
PROJECT = Path(__file__).parents[2]
SNAKEFILE = """
rule all:
    input: expand("done/{job}", job=range(9))
rule predict_scene:
    output: "done/{job}"
    resources: gpu=1
    shell:
        "mkdir -p started ended; touch started/{wildcards.job};"
        " for wait in $(seq 600); do test $(ls started | wc -l) -ge 8 && break; sleep 0.2; done;"
        " echo $(( $(ls started | wc -l) - $(ls ended | wc -l) )) > {output}; sleep 1; touch ended/{wildcards.job}"
"""
"""Each job waits until 8 have started, and writes how many run."""


def test_eight_jobs_with_a_gpu_run_at_once(run_on_slurm: Callable[..., CompletedProcess[str]], tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "profiles", project / "profiles")  # Snakemake also loads profiles/default
    (project / "Snakefile").write_text(SNAKEFILE)
    folder = tmp_path / "run"
    folder.mkdir()
    run = run_on_slurm(folder, project=project)
    assert run.returncode == 0, run.stdout[-3000:]
    assert max(int((folder / "done" / str(job)).read_text()) for job in range(9)) == 8
