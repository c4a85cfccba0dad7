"""The files behind the scenes of a run, as the rules track them: by content, not by path or date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.jobs import options
from clairemap.outputs import SceneFolder
from clairemap.raster.identity import Identities, identities
from clairemap.raster.vector_cells import is_vector
from clairemap.scenes import SampleSheet

Say = Callable[[str], object]


@dataclass(frozen=True)
class SceneSources:
    """The source files of a run.

    Labels in vector files have the role `polygons` instead of `label`.

    Attributes:
        sheet: scenes of the run.
        work: folder of intermediate files.
        made_in: folder of files that a rule makes (the demo's scenes): these are its outputs, not tracked by content.
        announce: prints which large files are read.
        warn: prints a warning.
    """

    sheet: SampleSheet
    work: Path
    made_in: Path
    announce: Say
    warn: Say
    _known: dict[str, Identities] = field(default_factory=dict, init=False, repr=False)

    def made(self, scene: str, *roles: str) -> list[str]:
        """Return those files of a scene that a rule makes."""
        return [str(path) for path in self.sheet[scene].files_of(*roles) if self._is_made(path)]

    def options(self, scene: str, *roles: str) -> list[str]:
        """Return `--role path` for each file of a scene, including missing files."""
        return options({role: [path] for role, path in self._given(scene).items() if role in roles})

    def has_polygons(self, scene: str) -> bool:
        """Whether a scene's labels are polygons."""
        return "polygons" in self._given(scene)

    def contents(self, scene: str, *roles: str) -> list[str]:
        """Return the identities of all files behind a scene's rasters."""
        return list(self._of_scene(scene).of(*roles))

    def record(self, scene: str) -> Path:
        """Return the file in which a stage records what it has read of a scene's rasters."""
        return SceneFolder(self.work / "scenes" / scene).sources

    def polygon_record(self, scene: str) -> Path:
        """Return the file in which burn_labels records what it has read: it may run beside the other stages."""
        return SceneFolder(self.work / "scenes" / scene).polygon_sources

    def identified(self, files: Mapping[str, Path], record: Path) -> Identities:
        """Return the identities of all files behind some rasters; a file dated in the future is reported."""
        found = identities(files, record, self.announce)
        for path in found.future:
            self.warn(f"{path}: its date is in the future; check the clock of the machine that wrote it")
        return found

    def _of_scene(self, scene: str) -> Identities:
        if scene not in self._known:
            given = {role: path for role, path in self._given(scene).items() if not self._is_made(path)}
            polygons = {role: given.pop(role) for role in ("polygons",) if role in given}
            rasters = self.identified(given, self.record(scene))
            vectors = self.identified(polygons, self.polygon_record(scene))
            self._known[scene] = Identities({**rasters.by_file, **vectors.by_file}, rasters.future + vectors.future)
        return self._known[scene]

    def _given(self, scene: str) -> dict[str, Path]:
        """Return the scene's files by role."""
        label = self.sheet[scene].label
        names = {"label": "polygons"} if label is not None and is_vector(label) else {}
        return {names.get(role, role): path for role, path in self.sheet[scene].sources.items()}

    def _is_made(self, path: Path) -> bool:
        return path.is_relative_to(self.made_in)
