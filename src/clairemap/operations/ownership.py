"""The owners of folders that runs write to.

Snakemake's records and locks are in the folder where it runs, so it does not notice that another run writes to the same
files. Therefore a work folder belongs to one Snakemake folder, and the results folder of a region to one work folder.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clairemap.errors import SettingsError
from clairemap.operations.controllers import controllers_of

OWNER_FILE = ".clairemap-owner.json"


@dataclass(frozen=True)
class Owner:
    """Content of an owner file.

    Attributes:
        folder: Snakemake folder whose runs write.
        work_dir: work folder of these runs; empty: not known until the next run.
        results: the results folder that contains the file; empty in a work folder.
    """

    folder: str
    work_dir: str
    results: str = ""

    def is_of(self, place: Path) -> bool:
        """Whether the file was written in this place; not if the place was moved or copied."""
        return (self.results or self.work_dir) == str(place.resolve())


def _read(place: Path) -> Owner | None:
    """Return the owner of a folder; None without one."""
    try:
        content = json.loads((place / OWNER_FILE).read_text(encoding="utf-8"))
        owner = Owner(str(content["folder"]), str(content["work_dir"]), str(content.get("results", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return owner if owner.is_of(place) else None


def _write(place: Path, owner: Owner) -> None:
    """Replace the owner file, unless another process has just written its own.

    A folder that cannot be written is reported by the check before the first job (`startup.check_before_jobs`).
    """
    with suppress(OSError):
        (place / OWNER_FILE).unlink(missing_ok=True)
        place.mkdir(parents=True, exist_ok=True)
        with (place / OWNER_FILE).open("x", encoding="utf-8") as file:
            json.dump(asdict(owner), file, indent=1)


def owner_of(work_dir: Path) -> Path | None:
    """Return the folder that owns a work folder; None without an owner, or if the work folder was moved or copied."""
    owner = _read(work_dir)
    return Path(owner.folder) if owner else None


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
        _write(work_dir, Owner(str(folder.resolve()), str(work_dir.resolve())))
    check_owner(work_dir, folder)


def check_results(results: Iterable[Path], work_dir: Path, folder: Path) -> None:
    """Check that no other work folder owns the results folders of regions.

    Raises:
        SettingsError: another work folder owns one of them.
    """
    for place in results:
        owner = _read(place)
        if owner is None or _may_write(owner, work_dir, folder):
            continue
        raise SettingsError(
            f"results_dir {place.parent}: the results of region {place.name} belong to the runs in {owner.folder} with "
            f"work_dir {owner.work_dir or 'not known yet'}; this run would replace them. Set another results_dir, or, "
            f"if they may be replaced, take them over: make recover TAKE_OVER={place.resolve()} "
            f"FOLDER={folder.resolve()}"
        )


def _may_write(owner: Owner, work_dir: Path, folder: Path) -> bool:
    """Whether runs with this work folder may write results: it owns them, or the owner's work folder is gone."""
    if owner.work_dir:
        return owner.work_dir == str(work_dir.resolve()) or not Path(owner.work_dir).exists()
    return owner.folder == str(folder.resolve())


def own_results(results: Iterable[Path], work_dir: Path, folder: Path) -> None:
    """Make a work folder the owner of the results folders of regions, if they have no other owner.

    Raises:
        SettingsError: another work folder owns one of them.
    """
    places = list(results)
    check_results(places, work_dir, folder)
    for place in places:
        mine = Owner(str(folder.resolve()), str(work_dir.resolve()), str(place.resolve()))
        if _read(place) != mine:
            _write(place, mine)
    check_results(places, work_dir, folder)


def take_over(place: Path, folder: Path) -> Path | None:
    """Make a folder the owner of a work folder or of a region's results; return the former owner.

    Raises:
        SettingsError: Snakemake is running in the folder of the owner, or the folder cannot be written.
    """
    owner = _read(place)
    if owner is None or not owner.results:
        mine = Owner(str(folder.resolve()), str(place.resolve()))
    else:
        mine = Owner(str(folder.resolve()), "", owner.results)
    former = Path(owner.folder) if owner else None
    if owner == mine:
        return former
    if former not in (None, folder.resolve()):
        _check_idle(place, Path(str(former)))
    _write(place, mine)
    if _read(place) != mine:
        raise SettingsError(f"{place / OWNER_FILE}: cannot be written; check the permissions of the folder")
    return former


def _check_idle(place: Path, owner: Path) -> None:
    if running := [found for found in controllers_of(owner) if found.is_alive()]:
        raise SettingsError(
            f"{place}: Snakemake is running in the folder that owns it, {owner} ({running[0].controller.described}); "
            "stop it first"
        )
