"""Provenance of results: hashes of code, settings and files; stamps on outputs; atomic writing.

Each rule has `stage_code` among its ``params``, so that Snakemake reruns it after an edit in the library.
"""

import ast
import functools
import hashlib
import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clairemap
from clairemap.disk import disk_full, is_disk_full

PACKAGE = Path(clairemap.__file__).parent
STAMP_PREFIX = "clairemap_"


def stage_code(script: Path) -> str:
    """Return a hash of a stage's code: its script and all modules of this package that it imports, also indirectly.

    Comments, docstrings, descriptions of settings and formatting do not change the hash. Imports in functions count.
    A file that is not a module, such as a template, counts if an imported module in its folder contains its name in a
    string.
    """
    digest = hashlib.sha256()
    reached = _reached_files(script)
    for path in sorted(reached, key=lambda path: (path != script, path.as_posix())):
        name = script.name if path == script else path.relative_to(PACKAGE).as_posix()
        digest.update(f"{name}:{_code(path).digest}\n".encode())
    data_files = {file for path in reached for file in _code(path).data_files}
    for name, content in sorted((file.name, file_digest(file)) for file in data_files):
        digest.update(f"{name}:{content}\n".encode())
    return digest.hexdigest()[:16]


def _reached_files(script: Path) -> set[Path]:
    reached: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += _code(path).imported
    return reached


@dataclass(frozen=True)
class _Code:
    """Hash of a module without docstrings and descriptions of settings; the files that it imports and names."""

    digest: str
    imported: tuple[Path, ...]
    data_files: tuple[Path, ...]


@functools.cache
def _code(path: Path) -> _Code:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
    digest = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Code(digest, _imported_modules(tree), _named_files(tree, path.parent))


def _imported_modules(tree: ast.Module) -> tuple[Path, ...]:
    modules: list[Path] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules += _module_files(node.module)
            for alias in node.names:
                modules += _module_files(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                modules += _module_files(alias.name)
    return tuple(modules)


def _module_files(dotted: str) -> list[Path]:
    """Return the files that importing a dotted name runs, packages included; none for other packages than this one."""
    parts = dotted.split(".")
    if parts[0] != PACKAGE.name:
        return []
    files = []
    for depth in range(1, len(parts) + 1):
        place = PACKAGE.joinpath(*parts[1:depth])
        files += [file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]
    return files


def _named_files(tree: ast.Module, folder: Path) -> tuple[Path, ...]:
    """Return the folder's files, except modules, whose names occur in strings of the code."""
    candidates = [file for file in folder.iterdir() if file.suffix not in (".py", ".pyc") and file.is_file()]
    if not candidates:
        return ()
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return tuple(file for file in candidates if any(file.name in string for string in strings))


def json_digest(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a short hash of a JSON value; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(stage: str, settings_json: str) -> dict[str, str]:
    """Return the tags of an output: version, commit ('unknown' without git), stage, hash of the settings."""
    return {
        f"{STAMP_PREFIX}version": clairemap.__version__,
        f"{STAMP_PREFIX}commit": _commit(),
        f"{STAMP_PREFIX}stage": stage,
        f"{STAMP_PREFIX}settings": json_digest(json.loads(settings_json)),
    }


@functools.cache
def _commit() -> str:
    if shutil.which("git") is None:
        return "unknown"
    answer = subprocess.run(
        ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or "unknown"


def temporary_beside(target: Path) -> Path:
    """Return a unique temporary path in the target's folder; create the folder if necessary."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")


@contextmanager
def written_whole(target: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to the target at the end of the block, or remove it after an error.

    Raises:
        DiskFullError: no space is left.
    """
    temporary = temporary_beside(target)
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(target) from error
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_text_whole(target: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    with written_whole(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
