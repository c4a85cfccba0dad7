"""Identity of source files: the same for the same content, wherever the file is and whatever its date.

A rule has the identities of its sources among its parameters, not the files among its inputs, whose dates Snakemake
would compare. The identity of a file that no stage has read yet is its size and modification time. The stage that reads
it records these, its time of change (ctime) and the hash of its content. From then on:

- Size and both times unchanged: the same file, without reading it.
- Another size: another file.
- Else the content is read and compared; the identity stays if it is equal.

So an older file, a touched one and a moved folder are all judged by content. A change is overlooked only if size,
modification time and time of change stay, which no copying program can do.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from clairemap.artefacts.source_record import (
    FileContent,
    FileRecord,
    FileState,
    SourceRecord,
    read_source_record,
    write_source_record,
)
from clairemap.console import warn
from clairemap.provenance import file_digest
from clairemap.raster.members import files_behind, members, with_sidecars

LISTED = 300
"""Maximum number of identities listed one by one, to limit Snakemake's metadata."""

ANNOUNCED_BYTES = 100_000_000

FUTURE_S = 120.0
"""Dates later than this are reported, seconds from now."""

Role = TypeVar("Role", bound=str)
Files = Path | Mapping[str, Path]
"""A raster, or the files of a role by reference."""

Announce = Callable[[str], object]


@dataclass(frozen=True)
class Identities:
    """Identities of files by role, number and name, and the files that are dated in the future."""

    by_file: Mapping[str, str]
    future: tuple[Path, ...]

    def of(self, *roles: str) -> tuple[str, ...]:
        """Return the identities of the files of some roles, sorted; those beyond `LISTED` as one hash."""
        chosen = [f"{key}={identity}" for key, identity in self.by_file.items() if key.partition("/")[0] in roles]
        values = sorted(chosen)
        if len(values) <= LISTED:
            return tuple(values)
        digest = hashlib.sha256("\n".join(values[LISTED:]).encode(errors="surrogateescape")).hexdigest()[:16]
        return (*values[:LISTED], f"{len(values) - LISTED} more files: {digest}")


def identities(files: Mapping[str, Files], record: Path, announce: Announce = lambda _: None) -> Identities:
    """Return the identities of all files that GDAL reads for some rasters.

    Args:
        files: rasters, or several files, by role; a missing file is an identity too.
        record: file that `remembered` has written; what is found out by reading files is added to it.
        announce: is called with a text for each large file that is read.
    """
    known = read_source_record(record)
    seen = _looked_at(files, known.files)
    found: dict[str, str] = {}
    updated: dict[str, FileRecord] = {}
    for key, (path, state) in seen.items():
        found[key], changed = _judged(known.files.get(key), path, state, announce)
        if changed is not None:
            updated[key] = changed
    if updated:
        with suppress(OSError):
            write_source_record(record, SourceRecord(files={**known.files, **updated}))
    latest = (time.time() + FUTURE_S) * 1e9
    future = tuple(path for path, state in seen.values() if state is not None and state.mtime_ns > latest)
    return Identities(found, future)


@contextmanager
def remembered(files: Mapping[Role, Files | None], record: Path | None) -> Iterator[None]:
    """Record what the block has read: state and hash of all files that GDAL reads for some rasters.

    Files that change while the block runs are not recorded, with a warning: the stage runs again at the next start.

    Args:
        files: rasters, or several files, by role; those that are None are left out.
        record: file to write; None: nothing is recorded.
    """
    if record is None:
        yield
        return
    before = _looked_at({role: path for role, path in files.items() if path is not None}, {})
    yield
    known = dict(read_source_record(record).files)
    for key, (path, state) in before.items():
        if (entry := _entry(known.get(key), path, state)) is not None:
            known[key] = entry
        else:
            known.pop(key, None)
            warn(f"{path}: changed while it was read; run again")
    write_source_record(record, SourceRecord(files=known))


def _entry(known: FileRecord | None, path: Path, state: FileState | None) -> FileRecord | None:
    """Return the record of a file in a state; None if it is in another state now."""
    if state is None:
        return None
    if known is not None and known.read.state == state == _state(path):
        return known
    content = FileContent(state=state, sha256=file_digest(path))
    if _state(path) != state:
        return None
    is_same = known is not None and known.read.sha256 == content.sha256
    identity = known.identity if known is not None and is_same else _new_identity(known, content)
    return FileRecord(identity=identity, read=content, refers=bool(members(path)))


def _judged(
    known: FileRecord | None, path: Path, state: FileState | None, announce: Announce
) -> tuple[str, FileRecord | None]:
    """Return the identity of a file, and its record if that has changed."""
    if state is None:
        return "missing", None
    if known is None:
        return _provisional(state), None
    if known.read.state == state:
        return known.identity, None
    if known.read.state.size != state.size:
        return _provisional(state), None
    if known.other is not None and known.other.state == state:
        return _new_identity(known, known.other), None
    if state.size >= ANNOUNCED_BYTES:
        announce(f"{path}: its date has changed; comparing its content ({state.size / 1e9:.1f} GB)")
    content = FileContent(state=state, sha256=file_digest(path))
    if content.sha256 == known.read.sha256:
        return known.identity, known.model_copy(update={"read": content})
    return _new_identity(known, content), known.model_copy(update={"other": content})


def _new_identity(known: FileRecord | None, content: FileContent) -> str:
    """Return the identity of content that differs from the known one."""
    identity = _provisional(content.state)
    is_taken = known is not None and known.identity.startswith(identity)
    return f"{identity}:{content.sha256[:16]}" if is_taken else identity


def _provisional(state: FileState) -> str:
    return f"{state.size}:{state.mtime_ns}"


def _state(path: Path) -> FileState | None:
    try:
        return FileState.of(path)
    except OSError:
        return None


def _looked_at(files: Mapping[str, Files], known: Mapping[str, FileRecord]) -> dict[str, tuple[Path, FileState | None]]:
    """Return all files behind rasters and their states, by role, number and name: these stay if a folder moves.

    A state is None for a missing file. Of known files only the state is looked at; others are opened to find out
    whether they refer to more files.
    """
    found: dict[str, tuple[Path, FileState | None]] = {}
    for role, given in sorted(files.items()):
        number = 0
        for reference, path in ({given.name: given} if isinstance(given, Path) else given).items():
            state = _state(path)
            entry = known.get(f"{role}/{number}/{reference}")
            is_known = entry is not None and not entry.refers and entry.read.state == state
            behind = with_sidecars(path) if is_known else files_behind(path) or (path,)
            for file in behind:
                name = reference if file == path else file.name
                found[f"{role}/{number}/{name}"] = file, state if file == path else _state(file)
                number += 1
    return found
