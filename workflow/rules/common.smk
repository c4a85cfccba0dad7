# Settings, sample sheet, paths and functions shared by the rules. The logic is in src/clairemap.
import functools
import gc
import inspect
import os
import shlex
import sys
import uuid

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from rasterio.errors import RasterioError
from snakemake.jobs import GroupJob, Job

from clairemap import jobs, requirements, slurm, stages
from clairemap.artefacts.model_card import read_model_card
from clairemap.attempts.policy import next_memory_mb
from clairemap.attempts.retries import without_permanent
from clairemap.attempts.runner import RUN_VARIABLE
from clairemap.attempts.summary import FailedJob, summary
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.machine import check_folder, check_writable, count_gpus
from clairemap.operations import guards, run_record
from clairemap.operations.controllers import Places
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.plan import Plan, has_both_sensors, is_labelled
from clairemap.provenance import stage_code
from clairemap.raster.identity import identities
from clairemap.raster.opening import open_raster
from clairemap.raster.unsupported import missing_message
from clairemap.scenes import NAME_WILDCARD
from clairemap.settings import VIEWS

# Planning builds millions of objects that stay: with Python's defaults their collection takes a tenth of the time.
gc.set_threshold(200_000, 50, 1000)

# Cluster jobs inherit the environment and do not check the same sheet again.
CHECKED_SHEET = "CLAIREMAP_CHECKED_SHEET"

try:
    named = ", ".join(map(str, workflow.overwrite_configfiles or ())) or "config/config.yaml"
    PLAN = Plan.read(config, Path(workflow.basedir), named, os.environ.get(CHECKED_SHEET))
    FOLDERS = {"work_dir": Path(PLAN.settings.work_dir), "results_dir": Path(PLAN.settings.results_dir)}
    for key, folder in FOLDERS.items():
        check_folder(key, folder)
    if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
        jobs.check_image()
except ClairemapError as error:
    fail(error)
SETTINGS, SHEET = PLAN.settings, PLAN.sheet
os.environ[CHECKED_SHEET] = SHEET.digest
DEMO_DIR = Path("data/demo")
GPU = int(jobs.uses_gpu(SETTINGS))
OVER_NODES = SETTINGS.compute.training_nodes > 1

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

# Not in a cluster job: looking for all files of all scenes can take longer than the job.
for place, absent in SHEET.missing_files.items() if workflow.is_main_process else ():
    if not absent.is_relative_to(DEMO_DIR):
        logger.warning(f"{SETTINGS.scenes}: scene {', '.join(place)}: {missing_message(absent)} (this scene will fail)")

# For ancient inputs, rules use these constants, not rules.x.output.y: the flag would stay on the shared object.
WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE = SceneFolder(Path(WORK) / "scenes" / "{scene}")
MODEL = ModelFolder(Path(WORK) / "model")
MAP = MapFiles(Path(RESULTS) / "{region}" / "{map}")
try:
    guards.install(workflow, Places(WORK, tuple(f"{RESULTS}/{region}" for region in SHEET.regions)))
except ClairemapError as error:
    fail(error)
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"
slurm.keep_logs_in(Path(LOGS) / "slurm", logger.warning)

# Jobs of one machine share its GPUs; a cluster's limit is in its profile. `nodes` is set for executors other than local.
if GPU and workflow.is_main_process and workflow.resource_settings.nodes is None:
    if "gpu" not in workflow.global_resources:
        workflow.global_resources["gpu"] = count_gpus()


def signed(function):
    """Return a function with stored parameters: Snakemake otherwise inspects it several times for each job."""
    function._overwrite_params = inspect.signature(function).parameters
    return function


def code(rule_name):
    """Hash of a rule's code: an edit of a module reruns only the rules that use it."""
    return stage_code(Path(workflow.basedir) / "workflow" / "scripts" / f"{rule_name}.py")


def group(name, rule_name, alone=False):
    """Group of a rule: on a cluster, the jobs of a scene in one group are one job.

    Rules with a GPU or a language model are alone: the group would hold the GPU while its other jobs use the CPU.
    Rules to which the profile gives a partition or another text are alone too: texts must be equal within a group.
    """
    settings = set(workflow.resource_settings.overwrite_resources.get(rule_name, ()))
    return None if alone or settings - {"mem_mb", "disk_mb", "runtime"} else name


def untracked(value):
    """Params function: a value that changes no result. Snakemake does not track params that depend on outputs."""
    return signed(lambda wildcards, output: value)


def passed(stage):
    """Params function: all settings of a stage as JSON, untracked; `relevant` tracks those that matter."""
    return untracked(stages.stage_json(SETTINGS, stage))


def relevant(stage):
    """Params function: settings that can change a stage's results. In a plain string, braces would be wildcards."""
    text = stages.relevant_json(SETTINGS, stage)
    return signed(lambda wildcards: text)


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
    if rule_name == "fit_statistics":
        return len(PLAN.train_and_val)
    if rule_name == "audit_splits":
        return len(PLAN.train_and_val) + len(PLAN.test_of(wildcards.region))
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


def made(*roles):
    """Input function: the scene's simulated files. All others are no inputs: `contents` tracks them."""
    return signed(
        lambda wildcards: [
            str(path) for path in SHEET[wildcards.scene].files_of(*roles) if path.is_relative_to(DEMO_DIR)
        ]
    )


def over_nodes(value):
    """Resources function: a resource that only training on several nodes requests."""
    return lambda wildcards: value if OVER_NODES else None


@functools.cache
def scene_contents(name):
    """Identities of all files behind a scene's rasters, by role; a file dated in the future is reported."""
    given = {role: path for role, path in SHEET[name].sources.items() if not path.is_relative_to(DEMO_DIR)}
    return identified(given, SceneFolder(Path(WORK) / "scenes" / name).sources)


def identified(files, record):
    """Identities of all files behind some rasters or of other files, by role."""
    found = identities(files, record, logger.info)
    for path in found.future if workflow.is_main_process else ():
        logger.warning(f"{path}: its date is in the future; check the clock of the machine that wrote it")
    return found


def contents(*roles):
    """Params function: identities of the files of the scene's rasters; their paths and dates are not tracked."""
    return signed(lambda wildcards: list(scene_contents(wildcards.scene).of(*roles)))


def record():
    """Params function: file in which a stage records what it has read, untracked."""
    return signed(lambda wildcards, output: SceneFolder(Path(WORK) / "scenes" / wildcards.scene).sources)


def source_options(*roles):
    """Params function: --role path for each file of the scene, including missing files; untracked."""
    return signed(
        lambda wildcards, output: jobs.options(
            {role: [path] for role, path in SHEET[wildcards.scene].sources.items() if role in roles}
        )
    )


def each(*names):
    """Params function: --name path for each file of the named inputs."""
    return signed(lambda wildcards, input: jobs.options({name: input.get(name, []) for name in names}))


def accepted(wildcards):
    """Input function: records of results that were kept in spite of a change of the code (`make accept`)."""
    return sorted(Path(WORK, "accepted").glob("*.json"))


def of_maps(pattern):
    """Input function: a file of each map of the region."""
    return lambda wildcards: expand(pattern, region=wildcards.region, map=PLAN.maps_of(wildcards.region))


def of_audit(pattern):
    """Input function: a file of each scene of the region's audit."""
    return signed(lambda wildcards: expand(pattern, scene=[*PLAN.train_and_val, *PLAN.test_of(wildcards.region)]))


def of_scenes(pattern, *views, chosen=lambda scene: True):
    """Input function: a file of each chosen scene of the region or map."""

    def inputs(wildcards):
        scenes = PLAN.scenes_of(wildcards.region, wildcards.get("map"))
        return expand(pattern, scene=[scene.scene for scene in scenes if chosen(scene)], view=views)

    return signed(inputs)
