"""Checkpoints: a run that was killed goes on where it stopped, with the weights it would have had anyway.

A checkpoint is one file, ``{folder}/{fingerprint}/step-000050.pt``: the SHA-256 of what follows, a line end, and what
`torch.save` writes. It appears whole or not at all, under a name of its own until then, so that two runs of one job
can't spoil each other's. The fingerprint stands for all that the weights depend on, so that no other run's state is
ever taken up. The last file of a finished run stays: asked for again, its model is written without training.
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
"""Checkpoints kept while training goes on: if the last one is damaged there is one before."""

State = dict[str, Any]


@dataclass(frozen=True)
class CheckpointFolder:
    """The checkpoints of one run."""

    path: Path

    def save(self, step: int, state: State) -> Path:
        """Write the state after a step, and delete all but the last CHECKPOINTS_KEPT files."""
        content = io.BytesIO()
        torch.save(state, content)
        target = self.path / f"step-{step:06d}.pt"
        with written_whole(target) as temporary, temporary.open("wb") as file:
            file.write(hashlib.sha256(content.getbuffer()).hexdigest().encode() + b"\n")
            file.write(content.getbuffer())
        self._keep(CHECKPOINTS_KEPT)
        return target

    def newest(self) -> str | None:
        """Return the name of the newest file that is whole, or None; damaged ones on the way are told and deleted.

        They are of later steps than what is saved next: if they stayed, `save` and `finish` would keep them instead.
        Only one process may ask.
        """
        files = self._files()
        for path in files:
            if _verified_content(path) is not None:
                return path.name
            log.warning("%s is damaged and deleted: looking for the checkpoint before it", path)
            path.unlink(missing_ok=True)
        if files:
            log.warning("no checkpoint in %s is whole: training starts anew", self.path)
        return None

    def load(self, name: str) -> State:
        """Return a state that `newest` named, its tensors on the CPU.

        Raises:
            StoreError: this process reads something else than the one that named it.
        """
        content = _verified_content(self.path / name)
        if content is None:
            raise StoreError(
                f"{self.path / name} is whole for the first process, but missing or damaged for another: work_dir must "
                "be on a disk that all nodes share; check the file system, run again"
            )
        state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        return state

    def finish(self) -> None:
        """Delete all but the last file, from which the finished model can be written again."""
        self._keep(1)

    def _keep(self, count: int) -> None:
        for path in self._files()[count:]:
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("step-*.pt"), key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)


def _verified_content(path: Path) -> bytes | None:
    """Return what follows the hash, or None if there is no file or it isn't what was written."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    return content if digest == hashlib.sha256(content).hexdigest().encode() else None
