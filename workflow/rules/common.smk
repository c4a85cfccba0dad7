# Settings, sample sheet, paths and look-ups that the rules share.
import functools
import shlex
import shutil
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import stages
from clairemap.console import fail
from clairemap.errors import ClairemapError, MissingFileError, SettingsError
from clairemap.machine import check_gpus
from clairemap.provenance import stage_code
from clairemap.raster.members import watched
from clairemap.raster.unsupported import as_named
from clairemap.scenes import read_sample_sheet
from clairemap.settings import VIEWS, load_settings

CUDA_MB = (
    4000  # what PyTorch and CUDA's libraries take of the host's memory beside a GPU
)

# For jobs of the network on CPUs. glibc gives every large block back and takes the next one page by page anew, a third
# of the time; each thread of zarr's has a heap of its own, which is never full and never given back; and OpenMP's threads
# wait for each other in busy loops: where other jobs use the cores too, a training step of 0.25 s takes 8 s.
NETWORK_ENVIRONMENT = (
    "MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_ARENA_MAX=1"
    " OMP_WAIT_POLICY=PASSIVE"
)


try:
    if set(str(workflow.basedir)) & set("{}"):
        raise SettingsError(
            f"{workflow.basedir}: the workflow's own folder has braces in its path, which Snakemake takes for wildcards; "
            "move it"
        )
    SETTINGS = load_settings(config, "config")
    SHEET = read_sample_sheet(Path(SETTINGS.scenes), Path(SETTINGS.data_dir))
    INITIAL_WEIGHTS = [
        Path(path)
        for path in (SETTINGS.training.initial_optical, SETTINGS.training.initial_sar)
        if path
    ]
    if lost := [str(path) for path in INITIAL_WEIGHTS if not path.is_file()]:
        raise MissingFileError(
            f"training.initial_optical, initial_sar: {', '.join(lost)} doesn't exist; correct the path, or set it to null"
        )
except ClairemapError as error:
    fail(error)

# The scripts find the package in any environment, in that of a conda directive too.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(sys.path[0])}; ")

DEMO_DIR = Path("data/demo")
if absent := [
    as_named(path) for path in SHEET.missing_files if not path.is_relative_to(DEMO_DIR)
]:
    logger.warning(
        f"{len(absent)} file(s) of the sample sheet don't exist; their scenes will fail: {', '.join(absent)}"
    )

WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE, MODEL = f"{WORK}/scenes/{{scene}}", f"{WORK}/model"
MAP = f"{RESULTS}/{{region}}/{{map}}"
PAIR, PROBABILITIES = f"{SCENE}/pair.zarr", f"{SCENE}/{{view}}/probabilities.zarr"
LIKENESS = f"{SCENE}/radiometry_check.json"
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"
LABELLED = [
    scene.scene for scene in SHEET.of_split("train", "val", "test") if scene.label
]
# Jobs that may use a GPU ask for one if this machine has any; on a cluster's login node say `device: cuda`.
HAS_GPU = shutil.which("nvidia-smi") is not None
GPU = int(
    SETTINGS.compute.device == "cuda" or (SETTINGS.compute.device == "auto" and HAS_GPU)
)


def code(rule_name):
    """Hash of the code behind a rule: editing the library reruns just the stages that reach the edited lines."""
    return stage_code(
        Path(workflow.basedir) / "workflow" / "scripts" / f"{rule_name}.py"
    )


def only(stage):
    """Params function: the settings that a stage sees, as JSON. In a plain string Snakemake would look for wildcards."""
    text = stages.stage_json(SETTINGS, stage)
    return lambda wildcards: text


def untracked(value):
    """Params function of a value that changes no result: Snakemake doesn't compare what depends on resources."""
    return lambda wildcards, resources: value


def script(rule_name):
    """The stage's script; its place may change, what counts is `code`."""
    return untracked(f"{workflow.basedir}/workflow/scripts/{rule_name}.py")


@functools.cache
def behind(paths):
    """The files that GDAL reads for these ones: inputs, and the state of what can't be an input."""
    return watched(path for path in paths if not path.is_relative_to(DEMO_DIR))


def files_of(scene, roles):
    """The scene's files of these roles."""
    return tuple(path for role, path in SHEET[scene].sources.items() if role in roles)


def sources(*roles):
    """Input function: the files behind the scene's rasters. One that is missing fails its own job, not the workflow."""
    return lambda wildcards: [
        *(
            path
            for path in files_of(wildcards.scene, roles)
            if path.is_relative_to(DEMO_DIR)
        ),
        *behind(files_of(wildcards.scene, roles)).inputs,
    ]


def unlisted(*roles):
    """Params function: what stands for files behind the scene's rasters that can't be inputs; no script takes it."""
    return lambda wildcards: list(behind(files_of(wildcards.scene, roles)).state)


def source_options(*roles):
    """Params function: --role path for each of the scene's files, missing ones included."""
    return lambda wildcards: [
        word
        for role, path in SHEET[wildcards.scene].sources.items()
        if role in roles
        for word in (f"--{role}", str(path))
    ]


def each(*names):
    """Params function: --name path for each file of the inputs of these names."""
    return lambda wildcards, input: [
        word
        for name in names
        for path in input.get(name, [])
        for word in (f"--{name.replace('_', '-')}", path)
    ]


def maps_of(region):
    """Names of a region's maps: its own, or those of its scenes."""
    scenes = [scene.scene for scene in SHEET.in_region(region)]
    return scenes if SETTINGS.mosaic.grid == "scene" else [region]


def of_maps(pattern):
    """Input function: a file of each map of the region."""
    return lambda wildcards: expand(
        pattern, region=wildcards.region, map=maps_of(wildcards.region)
    )


def scenes_of(wildcards):
    """The scenes of the region, or the one whose own map it is."""
    own_map = wildcards.get("map") if SETTINGS.mosaic.grid == "scene" else None
    return [
        scene
        for scene in SHEET.in_region(wildcards.region)
        if own_map in (None, scene.scene)
    ]


def of_scenes(pattern, *views, chosen=lambda scene: True):
    """Input function: a file of each of these scenes."""
    return lambda wildcards: expand(
        pattern,
        scene=[scene.scene for scene in scenes_of(wildcards) if chosen(scene)],
        view=views,
    )


def has_both_sensors(scene):
    """Whether there is something to register."""
    return {"optical", "sar"} <= scene.sources.keys()


def is_labelled(scene):
    """Whether a scene's map can be scored."""
    return scene.label is not None


def is_compared(scene):
    """Whether a scene is mapped with each sensor alone as well."""
    return (
        SETTINGS.metrics.compare_sensors
        and scene.split == "test"
        and is_labelled(scene)
    )


def memory(payload_mb):
    """Memory to ask for: what the stage's docstring says plus Python with its libraries, more at each retry."""
    return lambda wildcards, attempt: (payload_mb + 700) * attempt


def train_launcher(wildcards, resources):
    """How the script starts: alone, or in several processes, also on several nodes if a profile says `mpi: srun`."""
    processes, srun = SETTINGS.compute.training_processes, resources.get("mpi")
    if processes == 1 and not srun:
        return "python"
    launcher = f"python -m clairemap.training.launcher --processes {processes}"
    if srun:
        return f"{srun} --nodes={resources.nodes} --ntasks-per-node=1 --kill-on-bad-exit=1 {launcher}"
    return launcher
