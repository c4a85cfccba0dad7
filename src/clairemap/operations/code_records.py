"""Records of the code that made results: version and definitions of a stage, by the hash that Snakemake records.

At the start of a run each stage's code is recorded once, in ``work/code/{rule}/{hash}.json``. After an edit the plan
compares the records and names the functions that changed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import clairemap
from clairemap import provenance
from clairemap.artefacts.document import DocumentModel, parse_document, write_document
from clairemap.text import shortened

MOST_NAMES = 4
"""Maximum number of functions that a reason lists."""
WITHOUT_RECORD = "unknown where: the code of the last run has no record"


class CodeRecord(DocumentModel):
    """Code of a stage: version and commit of the package that first had it, hash of each definition by its name."""

    rule: str
    version: str
    commit: str
    definitions: dict[str, str]

    @property
    def made_by(self) -> str:
        """Version and commit, as in ``0.3.1 (4be1c0)``."""
        return f"{self.version} ({self.commit})"


@dataclass(frozen=True)
class CodeRecords:
    """The records in a work folder."""

    folder: Path

    def path(self, rule: str, code: str) -> Path:
        """Return the file of a rule's record."""
        return self.folder / "code" / rule / f"{code}.json"

    def read(self, rule: str, code: str) -> CodeRecord | None:
        """Return a record; None if there is none or it is damaged."""
        try:
            return parse_document(self.path(rule, code), CodeRecord)
        except ValueError:
            return None

    def add(self, rule: str, code: str, script: Path) -> None:
        """Write the record of a rule's current code if there is none."""
        path = self.path(rule, code)
        if not path.exists():
            write_document(path, current_record(rule, script))


def current_record(rule: str, script: Path) -> CodeRecord:
    """Return the record of a rule's current code."""
    stamp = provenance.stamp(rule, "{}")
    return CodeRecord(
        rule=rule,
        version=clairemap.__version__,
        commit=stamp["clairemap_commit"],
        definitions=provenance.stage_definitions(script),
    )


def changed_definitions(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return the names of the definitions that changed, then new ones (``+name``) and removed ones (``-name``)."""
    changed = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    added = [f"+{name}" for name in sorted(new.keys() - old.keys())]
    return changed + added + [f"-{name}" for name in sorted(old.keys() - new.keys())]


def definitions_text(changed: Iterable[str]) -> str:
    """Return changed definitions as text, without the package's name."""
    names = [name.replace("clairemap.", "", 1) for name in changed]
    return shortened(names, MOST_NAMES)
