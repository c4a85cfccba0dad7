"""Analysis of a stage's code: a hash of each definition that its script reaches."""

import functools
import hashlib
from pathlib import Path

from clairemap.code.module import Module
from clairemap.code.package import Package
from clairemap.code.reach import Analysis


def analysed(script: Path, root: Path, state: str) -> dict[str, str]:
    """Return the hashes as `stage.definitions` does, without keeping them; `state` is that of the package."""
    found = _analysis(root, state).reached(script)
    hashes = {
        ".".join(filter(None, (script.stem if module.is_script else root.name, _inner_name(module), name))): value
        for (module, name), value in found.hashes.items()
    }
    for module in found.modules:
        for file in module.data_files:
            folder = ".".join((root.name, *file.parent.relative_to(root).parts))
            hashes[f"{folder}/{file.name}"] = hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    return dict(sorted(hashes.items()))


def _inner_name(module: Module) -> str:
    return "" if module.is_script else module.name


@functools.lru_cache(maxsize=1)
def _analysis(root: Path, _state: str) -> Analysis:
    """Return the analysis of a state of the package; scripts share it."""
    return Analysis(Package(root))


def data_files(module: Path) -> tuple[Path, ...]:
    """Return the files in a module's folder, except modules, whose names occur in strings of its code."""
    return Module("", module).data_files
