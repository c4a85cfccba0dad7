"""What a published data set consists of: optical, SAR and label files of one piece of ground, each with its split."""

import hashlib
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from clairemap.errors import MissingFileError
from clairemap.scenes import Split
from clairemap.text import shortened

log = logging.getLogger(__name__)

Role = Literal["optical", "sar", "label"]
ROLES: tuple[Role, ...] = get_args(Role)

MAX_NAMED = 5


@dataclass(frozen=True)
class Sample:
    """A scene or a chip: the files that show the same ground, by role. Roles that the layout lacks here are absent.

    Samples with the same `region` are scored and reported together.
    """

    name: str
    region: str
    split: Split
    files: Mapping[Role, Path]

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files that should be there and are not."""
        return tuple(path for path in self.files.values() if not path.is_file())


def drawn(name: str) -> float:
    """Return a number in 0..1 that depends on nothing but the name: for holding out a fixed share of samples."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def train_or_val(name: str, val_share: float) -> Split:
    """Return the split of a training sample of a set that has no validation split."""
    return "val" if drawn(name) < val_share else "train"


def stems(folder: Path, pattern: str = "*.tif") -> set[str]:
    """Return the names of a folder's files without their suffix.

    Raises:
        MissingFileError: there is no such folder, or none of its files matches.
    """
    found = {path.stem for path in folder.glob(pattern)}
    if not found:
        raise MissingFileError(
            f"{folder}: no such folder, or no {pattern} in it; --folder must be laid out as docs/datasets.md shows"
        )
    return found


def lines(path: Path) -> list[str]:
    """Return a list's lines that are not empty.

    Raises:
        MissingFileError: the list is not there.
    """
    if not path.is_file():
        raise MissingFileError(
            f"{path}: no such list; it is part of the data set and says which samples train and test: bring it"
        )
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def tell_unlisted(found: Collection[str], listed: Iterable[str], lists: str) -> None:
    """Log which of the samples that are there stand in none of the lists, and are left out for that."""
    if surplus := sorted(set(found) - set(listed)):
        log.warning("left out, since %s do not name them: %s", lists, shortened(surplus, MAX_NAMED))


def complete(samples: Iterable[Sample], *, leave_out: bool) -> list[Sample]:
    """Return the samples all of whose files are there.

    Args:
        samples: of a reader.
        leave_out: warn of incomplete samples, naming their files, instead of failing.

    Raises:
        MissingFileError: files are missing and samples must not be left out, or no sample is complete.
    """
    every = list(samples)
    missing = [path for sample in every for path in sample.missing]
    whole = [sample for sample in every if not sample.missing]
    if missing and not (leave_out and whole):
        raise MissingFileError(
            f"{len(missing)} file(s) of {len(every) - len(whole)} sample(s) are missing: "
            f"{shortened(missing, MAX_NAMED)}; bring them, "
            "or say --on-missing leave_out to go on without those samples"
        )
    if missing:
        log.warning(
            "%d incomplete sample(s) are left out; missing: %s",
            len(every) - len(whole),
            shortened(missing, MAX_NAMED),
        )
    return whole
