"""What was read of source files: ``files_read.json`` of a scene, ``initial.json`` of the model."""

from pathlib import Path

from clairemap.artefacts.document import DocumentModel, parse_document, write_document


class FileState(DocumentModel):
    """Size and times of a file. Replacing a file changes `ctime_ns`, which no program can set."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        """Return the state of a file."""
        status = path.stat()
        return cls(size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns)


class FileContent(DocumentModel):
    """A state of a file and the hash of its content then."""

    state: FileState
    sha256: str


class FileRecord(DocumentModel):
    """A file as a stage has read it.

    `identity` is the file's value among the parameters of the rules: it stays while the content stays. `refers` tells
    whether it refers to other files, as a virtual raster does. `other` is the last different content that it was
    compared with, so that it is not read again at each start.
    """

    identity: str
    read: FileContent
    refers: bool = False
    other: FileContent | None = None


class SourceRecord(DocumentModel):
    """Files by role, number and name, as in ``optical/0/west.tif``."""

    files: dict[str, FileRecord] = {}


def write_source_record(path: Path, record: SourceRecord) -> None:
    """Write the record as JSON, atomically."""
    write_document(path, record)


def read_source_record(path: Path) -> SourceRecord:
    """Return the record; an empty one if it is missing or damaged, which costs time or a rerun."""
    try:
        return parse_document(path, SourceRecord)
    except ValueError:
        return SourceRecord()
