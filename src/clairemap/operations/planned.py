"""Jobs that would run, and why."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "setting", "option", "code", "command", "environment", "inputs", "newer", "missing", "incomplete", "forced", "after"
]
OF_CODE: frozenset[Kind] = frozenset({"code", "command", "environment"})
"""Reasons that a change of the code, the rules or the software environment gives."""

RECORDING = ("mosaic_region", "check_maps", "score_region", "render_report")
"""Stages that write which results were accepted. They take minutes and cannot be accepted themselves."""


@dataclass(frozen=True)
class Reason:
    """Why a job would run, for example `setting` with the text ``training.steps: 600 -> 900``.

    Equal reasons of several jobs have equal texts; `files` are those of this job.
    """

    kind: Kind
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedJob:
    """A job of the workflow.

    `needs` are the positions, in the list of jobs, of those that must end before it. `scene` is None for jobs of a
    region or of all scenes. `outputs` has files and folders, the last one is a file.
    """

    rule: str
    name: str
    scene: str | None = None
    region: str | None = None
    map: str | None = None
    threads: int = 1
    gpus: int = 0
    outputs: tuple[str, ...] = ()
    log: str | None = None
    benchmark: str | None = None
    needs: tuple[int, ...] = ()
    reasons: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def own_kinds(self) -> frozenset[Kind]:
        """Kinds of the reasons of the job itself, without jobs that run before it."""
        return frozenset(reason.kind for reason in self.reasons) - {"after"}

    @property
    def label(self) -> str:
        """Rule and name, as in ``tile_scene west``."""
        return f"{self.rule} {self.name}".rstrip()


@dataclass(frozen=True)
class Machine:
    """Where the jobs run: cores of this machine, or number of jobs of a cluster at a time; GPUs in use at a time."""

    executor: str
    cores: int
    jobs: int
    gpus: int | None = None

    @property
    def is_local(self) -> bool:
        """Whether the jobs run on this machine."""
        return self.executor == "local"
