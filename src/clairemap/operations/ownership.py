"""The owner of a work folder: the one Snakemake folder whose runs may write to it.

Snakemake's records and locks are in the folder where it runs. Two folders with the same work_dir would compute
everything twice and replace each other's files.
"""

import json
from contextlib import suppress
from pathlib import Path

from clairemap.errors import SettingsError
from clairemap.operations.controllers import controllers_of

OWNER_FILE = ".clairemap-owner.json"


def owner_of(work_dir: Path) -> Path | None:
    """Return the folder that owns a work folder; None without an owner, or if the work folder was moved or copied."""
    try:
        content = json.loads((work_dir / OWNER_FILE).read_text(encoding="utf-8"))
        folder, described = content["folder"], content["work_dir"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(folder) if described == str(work_dir.resolve()) else None


def check_owner(work_dir: Path, folder: Path) -> None:
    """Check that no other folder owns the work folder.

    Raises:
        SettingsError: another folder owns it.
    """
    owner = owner_of(work_dir)
    if owner is not None and owner != folder.resolve():
        raise SettingsError(
            f"work_dir {work_dir}: belongs to the runs in {owner}; two folders with one work_dir compute everything "
            f"twice. Run Snakemake in {owner}, or set another work_dir, or, if the runs there have ended for good, "
            f"take it over: make recover TAKE_OVER={work_dir.resolve()} FOLDER={folder.resolve()}"
        )


def own(work_dir: Path, folder: Path) -> None:
    """Make a folder the owner of the work folder, if it has no owner.

    Raises:
        SettingsError: another folder owns it.
    """
    if owner_of(work_dir) is None:
        (work_dir / OWNER_FILE).unlink(missing_ok=True)
        _write_owner(work_dir, folder)
    check_owner(work_dir, folder)


def take_over(work_dir: Path, folder: Path) -> Path | None:
    """Make a folder the owner of the work folder in place of another; return the former owner.

    Raises:
        SettingsError: Snakemake is running in the folder of the owner.
    """
    owner = owner_of(work_dir)
    if owner == folder.resolve():
        return owner
    if owner is not None and (running := [found for found in controllers_of(owner) if found.is_alive()]):
        raise SettingsError(
            f"work_dir {work_dir}: Snakemake is running in its folder {owner} ({running[0].controller.described}); "
            "stop it first"
        )
    (work_dir / OWNER_FILE).unlink(missing_ok=True)
    _write_owner(work_dir, folder)
    return owner


def _write_owner(work_dir: Path, folder: Path) -> None:
    """Write the marker, unless another process has just written its own."""
    work_dir.mkdir(parents=True, exist_ok=True)
    content = {"folder": str(folder.resolve()), "work_dir": str(work_dir.resolve())}
    with suppress(FileExistsError), (work_dir / OWNER_FILE).open("x", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
