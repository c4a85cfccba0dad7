# Settings, sample sheet, paths and look-ups that the rules share.
import os
import sys

sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from clairemap import settings as sections
from clairemap.console import fail
from clairemap.errors import ClairemapError
from clairemap.provenance import stage_code
from clairemap.scenes import read_sample_sheet
from clairemap.settings import VIEWS, load_settings, stage_json

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
# Rules run `python script`: it must find this package in any environment, that of a conda directive too.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [sys.path[0], os.environ.get("PYTHONPATH")])
)

try:
    SETTINGS = load_settings(config, "config")
    SHEET = read_sample_sheet(Path(SETTINGS.scenes), Path(SETTINGS.data_dir))
except ClairemapError as error:
    fail(error)

WORK, RESULTS = SETTINGS.work_dir, SETTINGS.results_dir
SCENE, MODEL = f"{WORK}/scenes/{{scene}}", f"{WORK}/model"
LOGS, BENCHMARKS = f"{WORK}/logs", f"{WORK}/benchmarks"
DEMO_DIR = Path("data/demo")
LABELLED = [
    scene.scene for scene in SHEET.of_split("train", "val", "test") if scene.label
]
COMPARED = (
    [scene.scene for scene in SHEET.of_split("test") if scene.label]
    if SETTINGS.metrics.compare_sensors
    else []
)


def code(rule_name):
    """Hash of the code behind a rule: editing the library reruns just the stages that reach the edited lines."""
    return stage_code(SCRIPTS / f"{rule_name}.py")


def only(section):
    """The settings that a stage sees, as JSON."""
    return stage_json(SETTINGS, section)


def sources(*roles):
    """Input function: the scene's files of these roles. One that is missing fails its own job, not the workflow."""
    return lambda wildcards: [
        path
        for role, path in SHEET[wildcards.scene].sources.items()
        if role in roles and (path.exists() or path.is_relative_to(DEMO_DIR))
    ]


def source_options(*roles):
    """Params function: the same files as command-line options, missing ones included."""
    return lambda wildcards: [
        word
        for role, path in SHEET[wildcards.scene].sources.items()
        if role in roles
        for word in (f"--{role}", str(path))
    ]


def options(name, pattern, scenes):
    """The same option once for each scene: --name path --name path …"""
    return [
        word for scene in scenes for word in (f"--{name}", pattern.format(scene=scene))
    ]


def scenes_of(wildcards):
    """The scenes of a map, or of a region."""
    name = wildcards.get("map", wildcards.region)
    return [
        scene.scene
        for scene in SHEET.in_region(wildcards.region)
        if name in (scene.scene, wildcards.region)
    ]


def maps_of(region):
    """The maps of a region: one, or one for each scene."""
    return (
        [scene.scene for scene in SHEET.in_region(region)]
        if SETTINGS.mosaic.grid == "scene"
        else [region]
    )


def deliverables(region):
    """The files of a region's maps."""
    kinds = (
        "landcover.tif",
        "confidence.tif",
        "optical_share.tif",
        "landcover.tif.aux.xml",
        "landcover.qml",
        "item.json",
    )
    return [
        f"{RESULTS}/{region}/{name}.{kind}"
        for name in maps_of(region)
        for kind in kinds
    ]


def memory(payload_mb):
    """Memory to ask for: what the stage's docstring says plus Python with its libraries, more at each retry."""
    return lambda wildcards, attempt: (payload_mb + 700) * attempt
