"""The files behind the scenes of a run, as the rules track them: by content, not by path or date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.jobs import options
from clairemap.outputs import SceneFolder
from clairemap.raster.identity import Files, Identities, identities
from clairemap.raster.vector_cells import is_vector
from clairemap.scenes import SampleSheet, Scene
from clairemap.settings import ResolvedSensors
from clairemap.sources.resolved_cells import ResolvedCell, resolved_cells

Say = Callable[[str], object]


@dataclass(frozen=True)
class SourceFiles:
    """The source files of a run.

    Labels in vector files have the role `polygons` instead of `label`.

    Attributes:
        sheet: scenes of the run.
        sensors: bands, and patterns of their files.
        work: folder of intermediate files.
        made_in: folder of files that a rule makes (the demo's scenes): these are its outputs, not tracked by content.
        announce: prints which large files are read.
        warn: prints a warning.
    """

    sheet: SampleSheet
    sensors: ResolvedSensors
    work: Path
    made_in: Path
    announce: Say
    warn: Say
    _known: dict[str, Identities] = field(default_factory=dict, init=False, repr=False)
    _resolved: dict[str, tuple[ResolvedCell, ...]] = field(default_factory=dict, init=False, repr=False)

    def made(self, scene: str, *roles: str) -> list[str]:
        """Return those files of a scene that a rule makes."""
        return [text for text in self.sheet[scene].cells_of(*roles) if self._is_made(text)]

    def resolved(self, scene: str) -> tuple[ResolvedCell, ...]:
        """Return the cells of a scene that are not single rasters: resolve_scene reads them."""
        if scene not in self._resolved:
            self._resolved[scene] = resolved_cells(self.sheet[scene].sources, self.sensors)
        return self._resolved[scene]

    def sources(self, scene: str) -> list[str]:
        """Return the record of resolve_scene as a list; empty for a scene of single rasters."""
        return [str(SceneFolder(self.work / "scenes" / scene).sources)] if self.resolved(scene) else []

    def undated(self, scene: Scene) -> list[str]:
        """Return `scene/role` for each sensor without a date in the sheet whose metadata may state it."""
        days = {"optical": scene.optical_date, "sar": scene.sar_date}
        roles = (one.role for one in self.resolved(scene.scene))
        return [f"{scene.scene}/{role}" for role in roles if role in days and days[role] is None]

    def resolved_contents(self, scene: str) -> list[str]:
        """Return the identities of the local files behind the cells that resolve_scene reads."""
        return self.contents(scene, *(one.role for one in self.resolved(scene)))

    def options(self, scene: str, *roles: str) -> list[str]:
        """Return `--role cell` for each cell of a scene, including missing files."""
        return options({role: [text] for role, text in self._given(scene).items() if role in roles})

    def has_polygons(self, scene: str) -> bool:
        """Whether a scene's labels are polygons."""
        return "polygons" in self._given(scene)

    def contents(self, scene: str, *roles: str) -> list[str]:
        """Return the identities of all files behind a scene's rasters."""
        return list(self._of_scene(scene).of(*roles))

    def record(self, scene: str) -> Path:
        """Return the file in which a stage records what it has read of a scene's rasters."""
        return SceneFolder(self.work / "scenes" / scene).files_read

    def polygon_record(self, scene: str) -> Path:
        """Return the file in which burn_labels records what it has read: it may run beside the other stages."""
        return SceneFolder(self.work / "scenes" / scene).polygon_sources

    def identified(self, files: Mapping[str, Files], record: Path) -> Identities:
        """Return the identities of all files behind some rasters; a file dated in the future is reported."""
        found = identities(files, record, self.announce)
        for path in found.future:
            self.warn(f"{path}: its date is in the future; check the clock of the machine that wrote it")
        return found

    def _of_scene(self, scene: str) -> Identities:
        if scene not in self._known:
            resolved: dict[str, Files] = {one.role: one.files for one in self.resolved(scene)}
            cells = self._given(scene)
            single = {
                role: Path(text) for role, text in cells.items() if role not in resolved and not self._is_made(text)
            }
            polygons: dict[str, Files] = {role: single.pop(role) for role in ("polygons",) if role in single}
            given: dict[str, Files] = {**single, **resolved}
            rasters = self.identified(given, self.record(scene))
            vectors = self.identified(polygons, self.polygon_record(scene))
            known = {**rasters.by_file, **vectors.by_file, **self._addresses(scene)}
            self._known[scene] = Identities(known, rasters.future + vectors.future)
        return self._known[scene]

    def _addresses(self, scene: str) -> dict[str, str]:
        """Return the addresses of remote files by role: planning does not ask servers, jobs do (`sources.opened`)."""
        return {
            f"{one.role}/{number}": address
            for one in self.resolved(scene)
            for number, address in enumerate(one.addresses)
        }

    def _given(self, scene: str) -> dict[str, str]:
        """Return the scene's cells by role."""
        label = self.sheet[scene].label
        names = {"label": "polygons"} if label is not None and is_vector(Path(label)) else {}
        return {names.get(role, role): text for role, text in self.sheet[scene].sources.items()}

    def _is_made(self, text: str) -> bool:
        return Path(text).is_relative_to(self.made_in)
