"""Lists of outputs in the state folder: those that exist without a record, and those of them that the user accepted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clairemap.operations.controllers import state_folder
from clairemap.provenance import write_text_whole


@dataclass(frozen=True)
class OutputList:
    """A list of outputs, with paths relative to the folder of the run, in a file."""

    path: Path

    def read(self) -> list[str]:
        """Return the outputs; none if the file does not exist."""
        return list(json.loads(self.path.read_text(encoding="utf-8"))) if self.path.exists() else []

    def write(self, outputs: Sequence[str]) -> None:
        """Replace the list."""
        write_text_whole(self.path, json.dumps(outputs, indent=1))

    def remove(self) -> None:
        """Remove the list; it may be gone already."""
        self.path.unlink(missing_ok=True)


def unrecorded_outputs(folder: Path) -> OutputList:
    """Return the outputs that the last planning in a folder found without a record."""
    return OutputList(state_folder(folder) / "unrecorded.json")


def kept_outputs(folder: Path) -> OutputList:
    """Return the outputs without a record that the user accepted with `recover`; the next run records them."""
    return OutputList(state_folder(folder) / "kept.json")
