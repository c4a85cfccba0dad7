"""What the Snakefile does when Snakemake starts, in the process that plans and in each cluster job."""

import gc
import os
import sys
import uuid
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import snakemake.jobs
from snakemake.resources import Resource

from clairemap import jobs, slurm
from clairemap.attempts.retries import without_permanent
from clairemap.attempts.runner import RUN_VARIABLE
from clairemap.attempts.summary import FailedJob, summary
from clairemap.machine import check_folder, check_writable, count_gpus
from clairemap.model_folder import check_model, filter_differences, set_by_user, with_model
from clairemap.operations import guards
from clairemap.operations.controllers import Places
from clairemap.operations.given_options import check_given_once
from clairemap.operations.region_summary import RESULTS, region_lines
from clairemap.operations.rule_values import is_submitted, remember_parameters
from clairemap.plan import Plan
from clairemap.raster.unsupported import missing_message
from clairemap.settings import Settings

CHECKED_SHEET = "CLAIREMAP_CHECKED_SHEET"
"""Environment variable with the digest of the checked sheet. Cluster jobs inherit it and do not check it again."""

COLLECTION_THRESHOLDS = (200_000, 50, 1000)
"""Of the garbage collector. Planning builds millions of objects that stay: Python's defaults cost a tenth of it."""


def checked_plan(workflow: Any, config: dict[str, Any]) -> Plan:  # noqa: ANN401 - Snakemake has no types
    """Return the plan of a run, after checks that need no job.

    Raises:
        ClairemapError: settings, sample sheet, folders or the container image have a fault.
    """
    gc.set_threshold(*COLLECTION_THRESHOLDS)
    remember_parameters(Resource.evaluate)
    check_given_once(sys.argv)
    source = ", ".join(map(str, workflow.overwrite_configfiles or ())) or "config/config.yaml"
    values = with_model(config, set_by_user(config, workflow.config_settings.overwrite_config or {}))
    plan = Plan.read(values, Path(workflow.basedir), source, os.environ.get(CHECKED_SHEET))
    check_model(plan.settings)
    os.environ[CHECKED_SHEET] = plan.sheet.digest
    for key, folder in _folders(plan.settings).items():
        check_folder(key, folder)
    if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
        jobs.check_image()
    return plan


def begin(workflow: Any, plan: Plan, made_in: Path, logger: Any) -> str:  # noqa: ANN401
    """Prepare this process for a run, and return the run's name in the records of attempts.

    Args:
        workflow: Snakemake's workflow.
        plan: plan of the run.
        made_in: folder of source files that a rule makes: these may be missing.
        logger: prints warnings.

    Raises:
        ClairemapError: another folder owns `work_dir`, or this version of Snakemake cannot be guarded.
    """
    settings, sheet = plan.settings, plan.sheet
    guards.install(
        workflow, Places(settings.work_dir, tuple(f"{settings.results_dir}/{name}" for name in sheet.regions))
    )
    slurm.keep_logs_in(slurm_logs(settings), logger.warning)
    if workflow.is_main_process:
        # Snakemake's SLURM executor leads to it before each run with groups; it has no effect.
        warnings.filterwarnings("ignore", message=r"coroutine 'InputFiles\._predicated_size_files")
        # SLURM's own log of a requeued job keeps both runs.
        os.environ |= {RUN_VARIABLE: uuid.uuid4().hex[:8], "SBATCH_OPEN_MODE": "append"}
        without_permanent(snakemake.jobs.Job, snakemake.jobs.GroupJob, os.environ[RUN_VARIABLE], logger.warning)
        _limit_gpus(workflow, settings)
        for difference in filter_differences(settings):
            logger.warning(f"{difference}: the map may be less accurate")
        for place, absent in sheet.missing_files.items():
            if not absent.is_relative_to(made_in):
                scene = f"{settings.scenes}: scene {', '.join(place)}"
                logger.warning(f"{scene}: {missing_message(absent)} (this scene will fail)")
    return os.environ.get(RUN_VARIABLE, "")


def slurm_logs(settings: Settings) -> Path:
    """Return the folder of SLURM's own logs."""
    return Path(settings.work_dir) / "logs" / "slurm"


def _folders(settings: Settings) -> dict[str, Path]:
    return {"work_dir": Path(settings.work_dir), "results_dir": Path(settings.results_dir)}


def _limit_gpus(workflow: Any, settings: Settings) -> None:  # noqa: ANN401
    """Let jobs of one machine share its GPUs; a cluster's limit is in its profile."""
    if not is_submitted(workflow) and jobs.uses_gpu(settings) and "gpu" not in workflow.global_resources:
        workflow.global_resources["gpu"] = count_gpus()


def check_before_jobs(workflow: Any, settings: Settings) -> None:  # noqa: ANN401
    """Check before the first job that folders can be written, and that the planned jobs can start.

    Raises:
        SettingsError: they cannot.
    """
    planned = {job.rule.name for job in workflow.dag.needrun_jobs()}
    for key, folder in _folders(settings).items():
        check_writable(key, folder)
    if not workflow.local_exec:
        limit = workflow.global_resources.get("gpu")
        jobs.check_cluster(planned, settings, limit.value if limit else None)
    elif not workflow.deployment_settings.deployment_method:  # conda environments have their own PyTorch
        jobs.check_gpus_of(planned, settings)
    if getattr(workflow.executor_plugin, "name", "") == "slurm":
        slurm.check_jobs(workflow)


def failure_text(workflow: Any, plan: Plan, run: str) -> str:  # noqa: ANN401
    """Return the last lines of a failed run: each job that Snakemake gave up, and what is missing by region."""
    given_up = [
        job for one in getattr(workflow.scheduler, "failed", ()) for job in (one.jobs if one.is_group() else [one])
    ]
    failed = [
        FailedJob(job.rule.name, tuple(job.wildcards_dict.values()), Path(job.log[0]) if job.log else None)
        for job in given_up
    ]
    lines = summary(failed, run, slurm_logs(plan.settings))
    header = f"{len(lines)} failed job(s); finished jobs are kept:"
    return "\n".join([header, *(f"- {line}" for line in lines), *_regions(workflow, plan, given_up)])


def _regions(workflow: Any, plan: Plan, given_up: Iterable[Any]) -> Iterable[str]:  # noqa: ANN401
    """Return what failed scenes leave incomplete."""
    scenes: dict[str, set[str]] = {}
    for job in given_up:
        if name := job.wildcards_dict.get("scene"):
            scenes.setdefault(plan.sheet[name].region, set()).add(name)
    left = set(workflow.dag.needrun_jobs())
    of_regions = [job for job in workflow.dag.jobs if job.rule.name in RESULTS]
    unfinished = [(job.rule.name, job.wildcards_dict["region"]) for job in of_regions if job in left]
    requested = sorted({job.wildcards_dict["region"] for job in of_regions})
    return region_lines(unfinished, scenes, requested, plan.settings.scenes)
