"""Checkpoints, from which a killed run resumes with the same weights as an uninterrupted run.

A checkpoint is one file, ``{folder}/{fingerprint}/step-000050.pt``: the SHA-256 of the content, a newline, and the
content from `torch.save`, written atomically. The fingerprint is a hash of everything that the weights depend on, so
the state of another run is never resumed. The last file of a finished run is kept, to rewrite its model.
"""

import hashlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from clairemap.errors import StoreError
from clairemap.provenance import written_whole

log = logging.getLogger(__name__)

CHECKPOINTS_KEPT = 2
"""Checkpoints kept during training, in case the last one is damaged."""

State = dict[str, Any]


@dataclass(frozen=True)
class CheckpointFolder:
    """The checkpoints of one run."""

    path: Path

    def save(self, step: int, state: State) -> Path:
        """Write the state after a step, and delete all but the last CHECKPOINTS_KEPT files; return the file."""
        content = io.BytesIO()
        torch.save(state, content)
        target = self.path / f"step-{step:06d}.pt"
        with written_whole(target) as temporary, temporary.open("wb") as file:
            file.write(hashlib.sha256(content.getbuffer()).hexdigest().encode() + b"\n")
            file.write(content.getbuffer())
        self._keep(CHECKPOINTS_KEPT)
        return target

    def newest(self) -> str | None:
        """Return the name of the newest undamaged file, or None; newer, damaged files are logged and deleted.

        `save` and `finish` would keep damaged files of later steps instead of new ones. Call in one process only.
        """
        files = self._files()
        for path in files:
            if _verified_content(path) is not None:
                return path.name
            log.warning("%s: damaged checkpoint deleted; trying the previous one", path)
            path.unlink(missing_ok=True)
        if files:
            log.warning("%s: all checkpoints are damaged; training starts over", self.path)
        return None

    def load(self, name: str) -> State:
        """Return the state in a file that `newest` returned, with tensors on the CPU.

        Raises:
            StoreError: the file is missing or damaged for this process.
        """
        content = _verified_content(self.path / name)
        if content is None:
            raise StoreError(
                f"{self.path / name}: readable by the first process, but missing or damaged for another; work_dir must "
                "be on a file system that all nodes share; check it and run again"
            )
        state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return state

    def finish(self) -> None:
        """Delete all but the last file."""
        self._keep(1)

    def _keep(self, count: int) -> None:
        for path in self._files()[count:]:
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("step-*.pt"), key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)


def _verified_content(path: Path) -> bytes | None:
    """Return the content after the hash, or None if the file is missing or damaged."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    return content if digest == hashlib.sha256(content).hexdigest().encode() else None
