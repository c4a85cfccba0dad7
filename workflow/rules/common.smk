# Settings, sample sheet, paths and look-ups that the rules share. The logic behind them is in src/clairemap.
import functools
import shlex
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import jobs, stages
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.outputs import MapFiles, ModelFolder, SceneFolder
from clairemap.plan import Plan, has_both_sensors, is_labelled
from clairemap.provenance import stage_code
from clairemap.raster.members import watched
from clairemap.raster.unsupported import written_name
from clairemap.settings import VIEWS

try:
    PLAN = Plan.read(config, Path(workflow.basedir))
except ClairemapError as error:
    fail(error)
SETTINGS, SHEET = PLAN.settings, PLAN.sheet
DEMO_DIR = Path("data/demo")
GPU = int(jobs.uses_gpu(SETTINGS))

# The scripts find the package in any environment, also in that of a conda directive.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

if absent := [written_name(path) for path in SHEET.missing_files if not path.is_relative_to(DEMO_DIR)]:
    logger.warning(
        f"{SETTINGS.scenes}: {len(absent)} file(s) do not exist; their scenes will fail: {', '.join(absent)}"
    )

# Rules use these constants, not rules.x.output.y, where an input is ancient: the mark would stay on the shared object.
WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE = SceneFolder(Path(WORK) / "scenes" / "{scene}")
MODEL = ModelFolder(Path(WORK) / "model")
MAP = MapFiles(Path(RESULTS) / "{region}" / "{map}")
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"


def code(rule_name):
    """Hash of the code behind a rule; editing a module reruns only the rules that use it."""
    return stage_code(Path(workflow.basedir) / "workflow" / "scripts" / f"{rule_name}.py")


def only(stage):
    """Params function: the settings of a stage, as JSON. In a plain string Snakemake would look for wildcards."""
    text = stages.stage_json(SETTINGS, stage)
    return lambda wildcards: text


def untracked(value):
    """Params function of a value that changes no result: Snakemake does not compare what depends on resources."""
    return lambda wildcards, resources: value


def script(rule_name):
    """The script of a rule. Its location does not count, its content does: see `code`."""
    return untracked(f"{workflow.basedir}/workflow/scripts/{rule_name}.py")


def memory(payload_mb):
    """Resources function: memory to request for a stage that needs this much for its data."""
    return lambda wildcards, attempt: jobs.memory_mb(payload_mb, attempt)


@functools.cache
def behind(paths):
    """All files that GDAL reads for these files, and the state of those that can't be inputs."""
    return watched(path for path in paths if not path.is_relative_to(DEMO_DIR))


def sources(*roles):
    """Input function: the files behind the scene's rasters. A missing file fails its own job, not the workflow."""

    def inputs(wildcards):
        files = SHEET[wildcards.scene].files_of(*roles)
        made = [path for path in files if path.is_relative_to(DEMO_DIR)]
        return [*made, *behind(files).inputs]

    return inputs


def unlisted(*roles):
    """Params function: the state of the files behind the scene's rasters that can't be inputs; no script uses it."""
    return lambda wildcards: list(behind(SHEET[wildcards.scene].files_of(*roles)).state)


def source_options(*roles):
    """Params function: --role path for each file of the scene, missing ones included."""
    return lambda wildcards: jobs.options(
        {role: [path] for role, path in SHEET[wildcards.scene].sources.items() if role in roles}
    )


def each(*names):
    """Params function: --name path for each file of the inputs of these names."""
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
