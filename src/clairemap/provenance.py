"""Where a result comes from: the code that made it, its settings and its inputs.

`stage_code` is what makes Snakemake notice an edit in the library: it goes into each rule's ``params``.
"""

import ast
import functools
import hashlib
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

import clairemap

PACKAGE = Path(clairemap.__file__).parent


def stage_code(script: Path) -> str:
    """Return a hash of the code behind a stage: its script and every module of this package that it reaches.

    Comments, docstrings and formatting don't count. Imports are followed wherever they stand in a module, those
    in functions included.
    """
    digest = hashlib.sha256()
    for path in sorted(_reached(script), key=lambda path: (path != script, path.as_posix())):
        name = script.name if path == script else path.relative_to(PACKAGE).as_posix()
        digest.update(f"{name}:{_code_hash(path)}\n".encode())
    return digest.hexdigest()[:16]


def _reached(script: Path) -> set[Path]:
    reached: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            waiting += _imported_modules(path)
    return reached


@functools.cache
def _imported_modules(path: Path) -> tuple[Path, ...]:
    modules: list[Path] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            modules += _module_files(node.module)
            for alias in node.names:
                modules += _module_files(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                modules += _module_files(alias.name)
    return tuple(modules)


def _module_files(dotted: str) -> list[Path]:
    """Return the files that importing a dotted name runs: the packages above it and itself; none if foreign."""
    parts = dotted.split(".")
    if parts[0] != PACKAGE.name:
        return []
    files = []
    for depth in range(1, len(parts) + 1):
        place = PACKAGE.joinpath(*parts[1:depth])
        files += [file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]
    return files


@functools.cache
def _code_hash(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def json_digest(value: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    """Return a short hash of a JSON value; equal values give equal hashes whatever the order of their keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stamp(stage: str, settings_json: str) -> dict[str, str]:
    """Return what each output carries: version, commit (or 'unknown' outside a checkout), stage, settings hash."""
    return {
        "clairemap_version": clairemap.__version__,
        "clairemap_commit": _commit(),
        "clairemap_stage": stage,
        "clairemap_settings": json_digest(json.loads(settings_json)),
    }


@functools.cache
def _commit() -> str:
    answer = subprocess.run(
        ["git", "-C", str(PACKAGE), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or "unknown"


def temporary_beside(target: Path) -> Path:
    """Return an unused name in the target's folder, made if need be, to write to before renaming.

    The name is unique, so that two runs of one job can't spoil each other's work.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.part")


def write_text_whole(target: Path, text: str) -> None:
    """Write a text file such that it is there whole or not at all."""
    part = temporary_beside(target)
    part.write_text(text, encoding="utf-8")
    part.replace(target)
