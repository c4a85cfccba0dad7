# Settings, scenes, paths and functions shared by the rules. The logic is in src/clairemap.
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import jobs, stages
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.job_requests import JobRequests
from clairemap.model_folder import model_folder_of, read_model
from clairemap.operations import startup
from clairemap.operations.rule_files import RuleFiles
from clairemap.operations.rule_sources import RuleSources
from clairemap.operations.rule_values import RuleValues, each, untracked, with_parameters
from clairemap.operations.source_files import SourceFiles
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
SOURCES = SourceFiles(SHEET, SETTINGS.sensors, Path(WORK), DEMO_DIR, logger.info, warn)
# Functions for inputs and params of rules; each job evaluates its own.
INPUTS = RuleSources(PLAN, SOURCES)
made, contents, has_polygons, burnt = INPUTS.made, INPUTS.contents, INPUTS.has_polygons, INPUTS.burnt
record, cells, source_options = INPUTS.record, INPUTS.cells, INPUTS.source_options
sources, of_resolved_scenes = INPUTS.resolved(), INPUTS.of_resolved_scenes()

FILES = RuleFiles(PLAN)
of_scenes, of_training, of_audit = FILES.of_scenes, FILES.of_training, FILES.of_audit
of_maps, of_labelled_regions = FILES.of_maps, FILES.of_labelled_regions
results, accepted = FILES.results, FILES.accepted

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
