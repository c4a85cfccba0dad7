# Settings, sample sheet, paths and functions shared by the rules. The logic is in src/clairemap.
import functools
import os
import shlex
import sys
import uuid

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from rasterio.errors import RasterioError
from snakemake.jobs import GroupJob, Job

from clairemap import jobs, requirements, stages
from clairemap.artefacts.model_card import read_model_card
from clairemap.attempts.policy import next_memory_mb
from clairemap.attempts.retries import without_permanent
from clairemap.attempts.runner import RUN_VARIABLE
from clairemap.attempts.summary import FailedJob, summary
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.plan import Plan, has_both_sensors, is_labelled
from clairemap.provenance import stage_code
from clairemap.raster.members import watched
from clairemap.raster.opening import open_raster
from clairemap.raster.unsupported import missing_message
from clairemap.settings import VIEWS

try:
    named = ", ".join(map(str, workflow.overwrite_configfiles or ())) or "config/config.yaml"
    PLAN = Plan.read(config, Path(workflow.basedir), named)
    if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
        jobs.check_image()
except ClairemapError as error:
    fail(error)
SETTINGS, SHEET = PLAN.settings, PLAN.sheet
DEMO_DIR = Path("data/demo")
GPU = int(jobs.uses_gpu(SETTINGS))

# The scripts find the package in any environment, also in conda environments.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

# Jobs inherit these variables, also through SLURM: the name of this run, in the records of attempts; SLURM's own log of
# a requeued job keeps both runs.
if workflow.is_main_process:
    os.environ |= {RUN_VARIABLE: uuid.uuid4().hex[:8], "SBATCH_OPEN_MODE": "append"}
    without_permanent(Job, GroupJob, os.environ[RUN_VARIABLE], logger.warning)
RUN = os.environ.get(RUN_VARIABLE, "")

# Starts each stage: its errors go to the log, with the start and the end of each attempt.
ATTEMPT = "python -m clairemap.attempts --log {log:q} --memory-mb {resources.mem_mb}"

for place, absent in SHEET.missing_files.items():
    if not absent.is_relative_to(DEMO_DIR):
        logger.warning(f"{SETTINGS.scenes}: scene {', '.join(place)}: {missing_message(absent)} (this scene will fail)")

# For ancient inputs, rules use these constants, not rules.x.output.y: the flag would stay on the shared object.
WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE = SceneFolder(Path(WORK) / "scenes" / "{scene}")
MODEL = ModelFolder(Path(WORK) / "model")
MAP = MapFiles(Path(RESULTS) / "{region}" / "{map}")
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"


def code(rule_name):
    """Hash of a rule's code: an edit of a module reruns only the rules that use it."""
    return stage_code(Path(workflow.basedir) / "workflow" / "scripts" / f"{rule_name}.py")


def only(stage):
    """Params function: settings of a stage as JSON. In a plain string, Snakemake would expand braces as wildcards."""
    text = stages.stage_json(SETTINGS, stage)
    return lambda wildcards: text


def untracked(value):
    """Params function: a value that changes no result. Snakemake does not track params that depend on resources."""
    return lambda wildcards, resources: value


def script(rule_name):
    """Params function: path of a rule's script, untracked; `code` tracks its content."""
    return untracked(f"{workflow.basedir}/workflow/scripts/{rule_name}.py")


def log_of(rule_name, wildcards):
    """Log of a job."""
    return Path(str(workflow.get_rule(rule_name).log[0]).format(**wildcards))


@functools.cache
def shape_of(path):
    """(height, width) of a raster; None if it cannot be read, which is an error of its job, not of the workflow."""
    try:
        with open_raster(path) as file:
            return file.shape
    except RasterioError:
        return None


def scene_shape(rule_name, wildcards):
    """(height, width) of a job's scene when the job is submitted, once the scene is registered; None if not needed.

    Snakemake evaluates resources again at submission: planning must not open all files.
    """
    if rule_name not in requirements.SIZED_RULES or workflow.scheduler is None:
        return None
    if not Path(SCENE.registration.as_posix().format(**wildcards)).exists():
        return None
    return shape_of(next(iter(SHEET[wildcards.scene].sources.values())))


def mapped_scene(wildcards):
    """What is known of a scene before mapping; None if its size or the model's halo is not known."""
    shape = scene_shape("predict_scene", wildcards)
    try:
        halo_px = SETTINGS.inference.halo_px
        halo_px = read_model_card(MODEL.card).halo_px if shape and halo_px is None else halo_px
    except ClairemapError:  # an error of the job that reads it
        return None
    return requirements.MappedScene(shape, halo_px) if shape else None


def scenes_read(rule_name, wildcards):
    """Number of scenes that a job reads."""
    if rule_name in ("fit_statistics", "audit_splits"):
        return len(PLAN.labelled)
    return len(PLAN.scenes_of(wildcards.region, wildcards.get("map"))) if "region" in wildcards.keys() else 1


def first_memory_mb(rule_name, wildcards):
    """Memory of the first attempt of a job."""
    if rule_name == "predict_scene":
        return requirements.mapping_mb(SETTINGS, mapped_scene(wildcards), on_gpus=bool(GPU))
    if rule_name == "train_model":
        return requirements.training_mb(SETTINGS, on_gpus=bool(GPU))
    scenes = scenes_read(rule_name, wildcards)
    return requirements.memory_mb(rule_name, SETTINGS, scenes=scenes, shape=scene_shape(rule_name, wildcards))


def memory(rule_name):
    """Resources function: memory of a job; more after an attempt that ran out of memory."""
    return lambda wildcards, attempt: next_memory_mb(
        first_memory_mb(rule_name, wildcards), log_of(rule_name, wildcards), RUN, attempt
    )


def minutes(rule_name):
    """Resources function: time limit of a job."""
    return lambda wildcards: requirements.minutes(
        rule_name,
        SETTINGS,
        scenes=scenes_read(rule_name, wildcards),
        shape=scene_shape(rule_name, wildcards),
        on_gpus=bool(GPU),
    )


def failed_jobs():
    """The jobs that Snakemake gave up."""
    given_up = getattr(workflow.scheduler, "failed", ())
    return [
        FailedJob(job.rule.name, tuple(job.wildcards_dict.values()), Path(job.log[0]) if job.log else None)
        for one in given_up
        for job in (one if one.is_group() else [one])
    ]


@functools.cache
def behind(paths):
    """All files that GDAL reads for some rasters, and the state of those that cannot be Snakemake inputs."""
    return watched(path for path in paths if not path.is_relative_to(DEMO_DIR))


def sources(*roles):
    """Input function: all files of the scene's rasters. A missing file fails its job, not the workflow."""

    def inputs(wildcards):
        files = SHEET[wildcards.scene].files_of(*roles)
        made = [path for path in files if path.is_relative_to(DEMO_DIR)]
        return [*made, *behind(files).inputs]

    return inputs


def unlisted(*roles):
    """Params function: state of those files of the scene's rasters that cannot be inputs; triggers reruns only."""
    return lambda wildcards: list(behind(SHEET[wildcards.scene].files_of(*roles)).state)


def source_options(*roles):
    """Params function: --role path for each file of the scene, including missing files."""
    return lambda wildcards: jobs.options(
        {role: [path] for role, path in SHEET[wildcards.scene].sources.items() if role in roles}
    )


def each(*names):
    """Params function: --name path for each file of the named inputs."""
    return lambda wildcards, input: jobs.options({name: input.get(name, []) for name in names})


def of_maps(pattern):
    """Input function: a file of each map of the region."""
    return lambda wildcards: expand(pattern, region=wildcards.region, map=PLAN.maps_of(wildcards.region))


def of_scenes(pattern, *views, chosen=lambda scene: True):
    """Input function: a file of each chosen scene of the region or map."""

    def inputs(wildcards):
        scenes = PLAN.scenes_of(wildcards.region, wildcards.get("map"))
        return expand(pattern, scene=[scene.scene for scene in scenes if chosen(scene)], view=views)

    return inputs
