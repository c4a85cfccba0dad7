"""Samples of a published data set: optical, SAR and label files of the same ground, and their split."""

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
"""Number of files or samples that a message names."""


@dataclass(frozen=True)
class Sample:
    """A scene or chip, with its files by role; a region's samples are scored and reported together."""

    name: str
    region: str
    split: Split
    files: Mapping[Role, Path]

    @property
    def missing(self) -> tuple[Path, ...]:
        """Files that do not exist."""
        return tuple(path for path in self.files.values() if not path.is_file())


def hash_fraction(name: str) -> float:
    """Return a hash of the name, from 0 to 1, to hold out a fixed share of samples."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def train_or_val(name: str, val_share: float) -> Split:
    """Return the split of a training sample of a data set without a validation split."""
    return "val" if hash_fraction(name) < val_share else "train"


def file_stems(folder: Path, pattern: str = "*.tif") -> set[str]:
    """Return the names of a folder's files, without suffix.

    Raises:
        MissingFileError: the folder does not exist or contains no file that matches `pattern`.
    """
    found = {path.stem for path in folder.glob(pattern)}
    if not found:
        raise MissingFileError(
            f"{folder}: no such folder, or it contains no {pattern}; arrange --folder as in docs/datasets.md"
        )
    return found


def read_lines(path: Path) -> list[str]:
    """Return the non-empty lines of a list file.

    Raises:
        MissingFileError: the file does not exist.
    """
    if not path.is_file():
        raise MissingFileError(
            f"{path}: no such file; it is the data set's list of training or test samples: download it"
        )
    return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def warn_unlisted(found: Collection[str], listed: Iterable[str], lists: str) -> None:
    """Log a warning with the samples that are in no list and therefore left out."""
    if unlisted := sorted(set(found) - set(listed)):
        log.warning("samples left out because they are not in %s: %s", lists, shortened(unlisted, MAX_NAMED))


def complete_samples(samples: Iterable[Sample], *, leave_out: bool) -> list[Sample]:
    """Return the samples whose files all exist.

    Args:
        samples: samples from a reader.
        leave_out: leave incomplete samples out with a warning instead of failing.

    Raises:
        MissingFileError: a file is missing and `leave_out` is False, or no sample is complete.
    """
    every = list(samples)
    missing = [path for sample in every for path in sample.missing]
    kept = [sample for sample in every if not sample.missing]
    if missing and not (leave_out and kept):
        raise MissingFileError(
            f"{len(missing)} file(s) of {len(every) - len(kept)} sample(s) are missing: "
            f"{shortened(missing, MAX_NAMED)}; provide them, or set --on-missing leave_out to leave these samples out"
        )
    if missing:
        log.warning(
            "%d incomplete sample(s) left out; missing files: %s", len(every) - len(kept), shortened(missing, MAX_NAMED)
        )
    return kept
