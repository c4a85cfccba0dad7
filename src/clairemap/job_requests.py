"""What each job requests when Snakemake submits it: memory and time, by the scenes that it reads.

Cluster jobs import this module at the start of Snakemake. What opens files is imported where it is used: jobs of
most rules do not need it, and rasterio alone would take a twentieth of that start.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from clairemap import requirements
from clairemap.attempts.policy import next_memory_mb
from clairemap.cell_text import items
from clairemap.errors import ClairemapError
from clairemap.model_folder import model_folder_of
from clairemap.outputs import SceneFolder
from clairemap.plan import Plan
from clairemap.raster.remote_names import CACHE_MB, is_remote
from clairemap.requirements import MappedScene, Shape
from clairemap.sources.cells import cell_of

Wildcards = Mapping[str, str]

READING_RULES = ("register_pair", "picture_registration", "tile_scene")
"""Rules that read the pixels of a scene's sources."""


@dataclass(frozen=True)
class JobRequests:
    """Requests of the jobs of a run.

    Attributes:
        plan: settings and scenes of the run.
        work: folder of intermediate files.
        on_gpus: whether the network runs on GPUs.
        run: identifies the run in the records of attempts.
        is_submitting: whether jobs are being submitted. Only then files are opened, for the sizes of scenes: Snakemake
            evaluates requests while planning too, for thousands of jobs.
    """

    plan: Plan
    work: Path
    on_gpus: bool
    run: str
    is_submitting: Callable[[], bool]

    def memory_mb(self, rule: str, wildcards: Wildcards, log: Path, attempt: int) -> int:
        """Return the memory of a job, MB; more after an attempt that ran out of memory, as its log says."""
        return next_memory_mb(self._first_memory_mb(rule, wildcards), log, self.run, attempt)

    def minutes(self, rule: str, wildcards: Wildcards) -> int:
        """Return the time limit of a job, minutes."""
        return requirements.minutes(
            rule,
            self.plan.settings,
            scenes=self._scenes_read(rule, wildcards),
            shape=self._shape(rule, wildcards),
            on_gpus=self.on_gpus,
        )

    def _first_memory_mb(self, rule: str, wildcards: Wildcards) -> int:
        settings = self.plan.settings
        if rule == "predict_scene":
            return requirements.mapping_mb(settings, self._mapped_scene(wildcards), on_gpus=self.on_gpus)
        scenes = self._scenes_read(rule, wildcards)
        shape = self._shape(rule, wildcards)
        needed = requirements.memory_mb(rule, settings, scenes=scenes, shape=shape, on_gpus=self.on_gpus)
        return needed + self._remote_mb(wildcards) if rule in READING_RULES else needed

    def _remote_mb(self, wildcards: Wildcards) -> int:
        """Return the memory for the caches of the scene's files on servers; assets of items may be such files."""
        cells = self.plan.sheet[wildcards["scene"]].sources
        read = [cell_of("label" if role == "label" else "optical", text) for role, text in cells.items()]
        remote = (cell.kind == "item" or any(map(is_remote, items(cell.text))) for cell in read if cell.is_resolved)
        return CACHE_MB * sum(remote)

    def _scenes_read(self, rule: str, wildcards: Wildcards) -> int:
        scene, region, map_name = (wildcards.get(name) for name in ("scene", "region", "map"))
        return len(self.plan.scenes_read(rule, scene=scene, region=region, map_name=map_name))

    def _shape(self, rule: str, wildcards: Wildcards) -> Shape | None:
        """Return (height, width) of a job's scene once it is registered; None if the request does not need it."""
        if rule not in requirements.SIZED_RULES or not self.is_submitting():
            return None
        if not SceneFolder(self.work / "scenes" / wildcards["scene"]).registration.exists():
            return None
        record = SceneFolder(self.work / "scenes" / wildcards["scene"]).sources
        role, text = next(iter(self.plan.sheet[wildcards["scene"]].sources.items()))
        is_resolved = cell_of("optical" if role == "optical" else "sar", text).is_resolved
        return _resolved_shape(record, role) if is_resolved else _raster_shape(Path(text))

    def _mapped_scene(self, wildcards: Wildcards) -> MappedScene | None:
        shape = self._shape("predict_scene", wildcards)
        if shape is None:
            return None
        halo_px = self.plan.settings.inference.halo_px
        if halo_px is None:
            halo_px = _model_halo_px(model_folder_of(self.plan.settings).card)
        return None if halo_px is None else MappedScene(shape, halo_px)


def _model_halo_px(card: Path) -> int | None:
    """Return the network's halo, pixels; None if the card cannot be read, which is an error of the job."""
    from clairemap.artefacts.model_card import read_model_card  # noqa: PLC0415

    try:
        return read_model_card(card).halo_px
    except ClairemapError:
        return None


@functools.cache
def _resolved_shape(record: Path, role: str) -> Shape | None:
    """Return (height, width) of a resolved role; None if the scene has no record, or the role is a single raster."""
    from clairemap.artefacts.scene_sources import read_scene_sources  # noqa: PLC0415

    try:
        roles = read_scene_sources(record).roles if record.exists() else {}
    except ClairemapError:  # an error of the job that reads it
        return None
    return next(((found.grid.height, found.grid.width) for name, found in roles.items() if name == role), None)


@functools.cache
def _raster_shape(path: Path) -> Shape | None:
    """Return (height, width); None if the file cannot be read, which is an error of its job, not of the workflow."""
    from rasterio.errors import RasterioError  # noqa: PLC0415

    from clairemap.raster.opening import open_raster  # noqa: PLC0415

    try:
        with open_raster(path) as file:
            return file.height, file.width
    except RasterioError:
        return None
