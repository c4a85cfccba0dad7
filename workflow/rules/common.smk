# Settings, sample sheet, paths and functions shared by the rules. The logic is in src/clairemap.
import functools
import gc
import inspect
import os
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import jobs, stages
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.plan import Plan, has_both_sensors, is_labelled
from clairemap.provenance import stage_code
from clairemap.raster.identity import identities
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
    if "apptainer" in map(str, workflow.deployment_settings.deployment_method):
        jobs.check_image()
except ClairemapError as error:
    fail(error)
SETTINGS, SHEET = PLAN.settings, PLAN.sheet
os.environ[CHECKED_SHEET] = SHEET.digest
DEMO_DIR = Path("data/demo")
GPU = int(jobs.uses_gpu(SETTINGS))

# The scripts find the package in any environment, also in conda environments.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

# Not in a cluster job: looking for all files of all scenes can take longer than the job.
for place, absent in SHEET.missing_files.items() if workflow.is_main_process else ():
    if not absent.is_relative_to(DEMO_DIR):
        logger.warning(f"{SETTINGS.scenes}: scene {', '.join(place)}: {missing_message(absent)} (this scene will fail)")

# For ancient inputs, rules use these constants, not rules.x.output.y: the flag would stay on the shared object.
WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE = SceneFolder(Path(WORK) / "scenes" / "{scene}")
MODEL = ModelFolder(Path(WORK) / "model")
MAP = MapFiles(Path(RESULTS) / "{region}" / "{map}")
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"


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


def memory(payload_mb):
    """Resources function: memory to request for a stage whose data need `payload_mb`."""
    return lambda wildcards, attempt: jobs.memory_mb(payload_mb, attempt)


def made(*roles):
    """Input function: the scene's simulated files. All others are no inputs: `contents` tracks them."""
    return signed(
        lambda wildcards: [
            str(path) for path in SHEET[wildcards.scene].files_of(*roles) if path.is_relative_to(DEMO_DIR)
        ]
    )


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
