"""The files behind the scenes of a run, as the rules track them: by content, not by path or date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.jobs import options
from clairemap.outputs import SceneFolder
from clairemap.raster.identity import Identities, identities
from clairemap.scenes import SampleSheet

Say = Callable[[str], object]


@dataclass(frozen=True)
class SceneSources:
    """The source files of a run.

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
        given = self.sheet[scene].sources
        return options({role: [path] for role, path in given.items() if role in roles})

    def contents(self, scene: str, *roles: str) -> list[str]:
        """Return the identities of all files behind a scene's rasters."""
        return list(self._of_scene(scene).of(*roles))

    def record(self, scene: str) -> Path:
        """Return the file in which a stage records what it has read of a scene."""
        return SceneFolder(self.work / "scenes" / scene).sources

    def identified(self, files: Mapping[str, Path], record: Path) -> Identities:
        """Return the identities of all files behind some rasters; a file dated in the future is reported."""
        found = identities(files, record, self.announce)
        for path in found.future:
            self.warn(f"{path}: its date is in the future; check the clock of the machine that wrote it")
        return found

    def _of_scene(self, scene: str) -> Identities:
        if scene not in self._known:
            given = {role: path for role, path in self.sheet[scene].sources.items() if not self._is_made(path)}
            self._known[scene] = self.identified(given, self.record(scene))
        return self._known[scene]

    def _is_made(self, path: Path) -> bool:
        return path.is_relative_to(self.made_in)
