"""Results kept in spite of a change of the code: ``work/accepted/{stage}.json``, written by `make accept`."""

from collections.abc import Collection, Iterable
from pathlib import Path

from pydantic import Field

from clairemap.artefacts.document import DocumentModel, read_document, write_document
from clairemap.provenance import file_digest


class AcceptedResult(DocumentModel):
    """One kept result. It counts only while its file has this content: a new result is not an accepted one."""

    scene: str | None = Field(description="null for results of all scenes")
    made_by: str = Field(description="version and commit of the code that made it")
    file: str = Field(description="an output of the job; relative paths start at the folder of the run")
    sha256: str = Field(description="hash of this file")


class Acceptance(DocumentModel):
    """Results of one stage that were accepted together."""

    date: str = Field(description="day, UTC, as 2026-11-27")
    accepted_under: str = Field(description="version and commit of the code at that time")
    changed: tuple[str, ...] | None = Field(description="definitions that differ from the makers' code, if known")
    results: tuple[AcceptedResult, ...]


class StageAcceptances(DocumentModel):
    """All acceptances of one stage, in order."""

    stage: str
    acceptances: tuple[Acceptance, ...] = ()


class KeptResult(DocumentModel):
    """What cards, STAC items and reports tell about kept results of a stage."""

    stage: str
    made_by: str
    accepted_under: str
    date: str
    scenes: tuple[str, ...] = Field(description="empty for results of all scenes")

    @property
    def text(self) -> str:
        """One line, without the stage and the scenes."""
        return f"made by {self.made_by}, accepted under {self.accepted_under} on {self.date}"


def acceptance_file(work: Path, stage: str) -> Path:
    """Return the file with a stage's acceptances."""
    return work / "accepted" / f"{stage}.json"


def read_acceptances(path: Path) -> StageAcceptances:
    """Return the acceptances in a file.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, StageAcceptances, "record of accepted results", "make accept")


def acceptances_of(work: Path, stage: str) -> StageAcceptances:
    """Return the acceptances of a stage, which may be none.

    Raises:
        StoreError: the file is damaged.
    """
    path = acceptance_file(work, stage)
    return read_acceptances(path) if path.exists() else StageAcceptances(stage=stage)


def write_acceptances(path: Path, acceptances: StageAcceptances) -> None:
    """Write the acceptances of a stage, atomically."""
    write_document(path, acceptances)


def kept_results(paths: Iterable[Path], scenes: Collection[str]) -> tuple[KeptResult, ...]:
    """Return the accepted results that are still in use, for given scenes; results of all scenes always count.

    Raises:
        StoreError: a file is missing or damaged.
    """
    found: dict[tuple[str, str, str, str], set[str]] = {}
    for path in paths:
        document = read_acceptances(path)
        for acceptance in document.acceptances:
            for result in acceptance.results:
                if (result.scene is None or result.scene in scenes) and _is_unchanged(result):
                    key = document.stage, result.made_by, acceptance.accepted_under, acceptance.date
                    found.setdefault(key, set()).update([result.scene] if result.scene else [])
    return tuple(
        KeptResult(stage=stage, made_by=maker, accepted_under=under, date=date, scenes=tuple(sorted(names)))
        for (stage, maker, under, date), names in found.items()
    )


def _is_unchanged(result: AcceptedResult) -> bool:
    try:
        return file_digest(Path(result.file)) == result.sha256
    except OSError:
        return False
