# Settings, scenes, paths and functions shared by the rules. The logic is in src/clairemap.
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import jobs, stages
from clairemap.console import fail
from clairemap.errors import ClairemapError, SettingsError
from clairemap.job_requests import JobRequests
from clairemap.model_folder import model_folder_of, read_model
from clairemap.operations import startup
from clairemap.operations.rule_values import RuleValues, with_parameters, untracked
from clairemap.operations.scene_sources import SceneSources
from clairemap.outputs import BUNDLE_FOLDER, BundleFolder, MapFiles, SampleFiles, SceneFolder
from clairemap.plan import has_both_sensors, is_labelled
from clairemap.scenes import NAME_WILDCARD
from clairemap.settings import VIEWS

DEMO_DIR = Path("data/demo")
try:
    PLAN = startup.checked_plan(workflow, config)
    RUN = startup.begin(workflow, PLAN, DEMO_DIR, logger)
except ClairemapError as error:
    fail(error)
SETTINGS, SHEET = PLAN.settings, PLAN.sheet
GPU = int(jobs.uses_gpu(SETTINGS))
OVER_NODES = SETTINGS.compute.training_nodes > 1

# The scripts find the package in any environment, also in conda environments.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

# Starts each stage: its errors go to the log, with the start and the end of each attempt.
ATTEMPT = "python -m clairemap.attempts --log {log:q} --memory-mb {resources.mem_mb}"

# For ancient inputs, rules use these constants, not rules.x.output.y: the flag would stay on the shared object.
WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE = SceneFolder(Path(WORK) / "scenes" / "{scene}")
MODEL = model_folder_of(SETTINGS)
BUNDLE = BundleFolder(Path(RESULTS) / BUNDLE_FOLDER)
MAP = MapFiles(Path(RESULTS) / "{region}" / "{map}")
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"

# Only the process that plans prints warnings.
warn = logger.warning if workflow.is_main_process else lambda text: None
SOURCES = SceneSources(SHEET, SETTINGS.sensors, Path(WORK), DEMO_DIR, logger.info, warn)
REQUESTS = JobRequests(PLAN, Path(WORK), bool(GPU), RUN, lambda: workflow.scheduler is not None)
VALUES = RuleValues(workflow, SETTINGS)
code, script, group, passed, relevant = VALUES.code, VALUES.script, VALUES.group, VALUES.passed, VALUES.relevant


def memory(rule_name):
    """Resources function: memory of a job."""
    return with_parameters(
        lambda wildcards, attempt: REQUESTS.memory_mb(rule_name, wildcards, VALUES.log(rule_name, wildcards), attempt)
    )


def minutes(rule_name):
    """Resources function: time limit of a job."""
    return with_parameters(lambda wildcards: REQUESTS.minutes(rule_name, wildcards))


def over_nodes(value):
    """Resources function: a resource that only training on several nodes requests."""
    return lambda wildcards: value if OVER_NODES else None


def made(*roles):
    """Input function: the scene's simulated files. All others are no inputs: `contents` tracks them."""
    return with_parameters(lambda wildcards: SOURCES.made(wildcards.scene, *roles))


def contents(*roles):
    """Params function: identities of the files of the scene's rasters; their paths and dates are not tracked."""
    return with_parameters(lambda wildcards: SOURCES.contents(wildcards.scene, *roles))


def has_polygons(scene):
    """Whether a scene's labels are polygons."""
    return SOURCES.has_polygons(scene.scene)


def burnt(pattern):
    """Input function: a file of burn_labels; none if the scene's labels are not polygons."""
    return with_parameters(
        lambda wildcards: expand(pattern, scene=[wildcards.scene] if SOURCES.has_polygons(wildcards.scene) else [])
    )


def sources(wildcards):
    """Input function: the record of what the scene's cells consist of, if they are more than single rasters."""
    return SOURCES.sources(wildcards.scene)


def of_resolved_scenes(wildcards):
    """Input function: the records of the scenes of the region or map that have one."""
    scenes = PLAN.scenes_of(wildcards.region, wildcards.get("map"))
    return [path for scene in scenes for path in SOURCES.sources(scene.scene)]


def record():
    """Params function: file in which a stage records what it has read, untracked."""
    return with_parameters(lambda wildcards, output: SOURCES.record(wildcards.scene))


def cells(*roles):
    """Params function: --role cell for each cell of the scene, also of missing files; untracked."""
    return with_parameters(lambda wildcards, output: SOURCES.options(wildcards.scene, *roles))


def source_options(*roles):
    """Params function: --role cell for each cell of the scene, and --sources if it has a record; untracked."""
    return with_parameters(
        lambda wildcards, output: [
            *SOURCES.options(wildcards.scene, *roles),
            *jobs.options({"sources": SOURCES.sources(wildcards.scene)}),
        ]
    )


def each(*names):
    """Params function: --name path for each file of the named inputs."""
    return with_parameters(lambda wildcards, input: jobs.options({name: input.get(name, []) for name in names}))


def accepted(wildcards):
    """Input function: records of results that were kept in spite of a change of the code (`make accept`)."""
    return sorted(Path(WORK, "accepted").glob("*.json"))


def of_maps(pattern):
    """Input function: a file of each map of the region."""
    return lambda wildcards: expand(pattern, region=wildcards.region, map=PLAN.maps_of(wildcards.region))


def of_audit(pattern):
    """Input function: a file of each scene of the region's audit."""
    return with_parameters(
        lambda wildcards: expand(pattern, scene=[*PLAN.train_and_val, *PLAN.test_of(wildcards.region)])
    )


def of_training(pattern, names=lambda plan: plan.train_and_val):
    """Input function: a file of each training and validation scene. A list would cost each cluster job time."""
    return with_parameters(lambda wildcards: expand(pattern, scene=names(PLAN)))


def of_labelled_regions(pattern):
    """Input function: a file of each region with labels. A list would cost each cluster job time."""
    return with_parameters(lambda wildcards: expand(pattern, region=PLAN.labelled_regions))


def of_scenes(pattern, *views, chosen=lambda scene: True):
    """Input function: a file of each chosen scene of the region or map."""

    def inputs(wildcards):
        scenes = PLAN.scenes_of(wildcards.region, wildcards.get("map"))
        return expand(pattern, scene=[scene.scene for scene in scenes if chosen(scene)], view=views)

    return with_parameters(inputs)


def results(wildcards):
    """Input function: maps, figures and report of each region. A list would cost each cluster job time."""
    of_map = (*rules.mosaic_region.output, *rules.check_maps.output)
    return [
        *(f"{RESULTS}/{region}/{file}" for region in SHEET.regions for file in ("report.html", "metrics.json")),
        *(
            str(output).format(region=region, map=name)
            for region in SHEET.regions
            for name in PLAN.maps_of(region)
            for output in of_map
        ),
    ]
