"""Hashes of a stage's code, kept in files between starts of Snakemake."""

import functools
import hashlib
import json
import os
import uuid
from contextlib import suppress
from pathlib import Path

KEPT = 200
"""Files of hashes kept in a folder; each state of the code has one per script."""

FOLDER = "__pycache__"


def definitions(script: Path, root: Path) -> dict[str, str]:
    """Return a hash of everything that a script reaches in the package in folder `root`, by qualified name.

    Names are those of definitions (``clairemap.training.loop.train``), of a module's other statements
    (``clairemap.x.(statements)``), of definitions of the script (``train_model.train_model``), and of files that an
    imported module of their folder names in a text (``clairemap.report/page.html.j2``).
    """
    state = _state(root)
    key = hashlib.sha256(f"{state}\n{script.name}\n".encode() + script.read_bytes()).hexdigest()
    for folder in _folders(root):
        if (known := _read(folder / f"code-{key}.json", key)) is not None:
            return known
    from clairemap.code.analysis import analysed  # noqa: PLC0415 - cluster jobs find kept hashes

    found = analysed(script, root, state)
    if _state.__wrapped__(root) == state:  # else the code was edited in between
        for folder in _folders(root):
            if _write(folder / f"code-{key}.json", key, found):
                break
    return found


def combined(hashes: dict[str, str]) -> str:
    """Return one short hash of all definitions."""
    text = "".join(f"{name}:{value}\n" for name, value in sorted(hashes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _state(root: Path) -> str:
    """Return a hash of all files of the package, by content: times do not matter."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != FOLDER)
        for name in sorted(files):
            if not name.endswith(".pyc"):
                path = Path(folder, name)
                content = path.read_bytes()
                digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def _folders(root: Path) -> tuple[Path, ...]:
    """Return where hashes are kept: beside the bytecode, or in the user's folder if the checkout is read-only."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never fails
    return root / FOLDER, Path(cache) / "clairemap"


def _read(path: Path, key: str) -> dict[str, str] | None:
    """Return the hashes in a file; None if it is missing, damaged or of other code."""
    try:
        document = json.loads(path.read_bytes())
        hashes = document["hashes"]
        intact = document["key"] == key and document["check"] == combined(hashes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return hashes if intact else None


def _write(path: Path, key: str, hashes: dict[str, str]) -> bool:
    """Write the hashes; return False if that is not possible, which only costs time."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"key": key, "check": combined(hashes), "hashes": hashes}), encoding="utf-8")
        temporary.replace(path)
        _remove_oldest(path.parent)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        return False
    return True


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("code-*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[KEPT:]:
        path.unlink(missing_ok=True)
