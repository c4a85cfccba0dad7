"""What names of the package refer to, across modules."""

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from clairemap.code import neutral
from clairemap.code.module import Module
from clairemap.code.names import Target
from clairemap.code.syntax import dotted_name

Parts = tuple[str, ...]
BUILTINS = frozenset(dir(builtins))
MODULE_NAMES = frozenset(
    {"__builtins__", "__class__", "__file__", "__loader__", "__module__", "__name__", "__package__", "__path__"}
    | {"__qualname__", "__spec__"}
)


@dataclass
class Meaning:
    """What a dotted name refers to.

    `definitions` are (module, name) pairs of the package; `modules` are modules that are used as a whole; `elsewhere`
    are names of other packages or built-in ones.
    """

    definitions: set[tuple[Module, str]] = field(default_factory=set)
    modules: set[Module] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)

    def add(self, other: "Meaning") -> None:
        """Add another meaning of the same name."""
        self.definitions |= other.definitions
        self.modules |= other.modules
        self.elsewhere |= other.elsewhere


class Package:
    """The modules of a package, parsed when they are first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module] = {}
        self._origins: dict[tuple[Module, Parts], str] = {}

    def module(self, name: str) -> Module:
        """Return a module by its dotted name without the package's."""
        if name not in self._modules:
            self._modules[name] = Module(name, self._files[name])
        return self._modules[name]

    @cached_property
    def _files(self) -> dict[str, Path]:
        found = {}
        for path in sorted(self.root.rglob("*.py")):
            parts = path.relative_to(self.root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all modules of the package."""
        return tuple(self._files)

    def inside(self, name: str) -> list[str]:
        """Return a module and, for a package, all modules in it."""
        return [known for known in self._files if known == name or not name or known.startswith(f"{name}.")]

    def dotted(self, target: Target, module: Module) -> str | None:
        """Return the module of an import, without the package's name; None for other packages."""
        if target.level:
            base = module.name.split(".") if module.name else []
            is_package = module.path.name == "__init__.py"
            base = base[: len(base) - target.level + is_package]
            return ".".join([*base, *([target.module] if target.module else [])])
        first, _, rest = target.module.partition(".")
        return rest if first == self.root.name else None

    def run_by(self, target: Target, module: Module) -> Iterator[str]:
        """Yield the modules that an import runs: its module, the packages around it, and the name if it is a module."""
        name = self.dotted(target, module)
        if name is None:
            return
        whole = f"{name}.{target.name}".strip(".") if target.name else name
        parts = whole.split(".") if whole else []
        for depth in range(len(parts) + 1):
            if (known := ".".join(parts[:depth])) in self._files:
                yield known

    def meaning(self, parts: Parts, module: Module, local: dict[str, set[Target]] | None = None) -> Meaning:
        """Return what a dotted name in a module refers to; `local` are the imports of the function around it."""
        result = Meaning()
        targets = {*(local or {}).get(parts[0], ()), *module.imports.get(parts[0], ())}
        for target in targets:
            result.add(self._imported(target, parts, module, frozenset()))
        if parts[0] in module.definitions:
            result.definitions.add((module, parts[0]))
        if not targets and parts[0] not in module.definitions:
            result.add(self._unknown(parts, module))
        return result

    def _unknown(self, parts: Parts, module: Module) -> Meaning:
        """A built-in name, or one that the analysis does not see: from a star import, or of the module itself."""
        result = Meaning()
        if stars := module.imports.get("*"):
            for star in stars:
                name = self.dotted(star, module)
                if name is None:
                    result.elsewhere.add(f"{star.module}.*")
                else:
                    result.modules.add(self.module(name))
        if parts[0] in BUILTINS:
            result.elsewhere.add(".".join(parts))
        elif parts[0] not in MODULE_NAMES and not stars:
            result.modules.add(module)
        return result

    def _imported(self, target: Target, parts: Parts, module: Module, seen: frozenset[Target]) -> Meaning:
        name = self.dotted(target, module)
        if name is None:
            whole = [target.module, *([target.name] if target.name else []), *parts[1:]]
            return Meaning(elsewhere={".".join(whole)})
        rest = (target.name, *parts[1:]) if target.name else parts[1:]
        return self._attribute(name, rest, seen | {target})

    def _attribute(self, name: str, parts: Parts, seen: frozenset[Target]) -> Meaning:
        """Return what ``module.a.b`` refers to."""
        result = Meaning()
        if name not in self._files:
            return Meaning(elsewhere={".".join((self.root.name, name, *parts))})
        if not parts:
            return Meaning(modules={self.module(name)})
        if parts[0] in MODULE_NAMES:
            return Meaning(elsewhere={".".join((self.root.name, name, parts[0]))})
        module = self.module(name)
        inner = f"{name}.{parts[0]}".strip(".")
        if parts[0] in module.definitions:
            result.definitions.add((module, parts[0]))
        for target in module.imports.get(parts[0], set()) - seen:
            result.add(self._imported(target, parts, module, seen))
        if inner in self._files:
            result.add(self._attribute(inner, parts[1:], seen))
        if result == Meaning():
            result.modules.add(module)
        return result

    def origin(self, parts: Parts, module: Module) -> str:
        """Return the only thing that a name refers to, in the form of module `neutral`; '' if it is not clear."""
        key = (module, parts)
        if key not in self._origins:
            self._origins[key] = self._origin(parts, module)
        return self._origins[key]

    def _origin(self, parts: Parts, module: Module) -> str:
        meaning = self.meaning(parts, module)
        if meaning.modules or len(meaning.definitions) + len(meaning.elsewhere) != 1:
            return ""
        if meaning.elsewhere:
            (name,) = meaning.elsewhere
            return name
        ((where, name),) = meaning.definitions
        return neutral.LOGGER_FACTORY if self._is_logger(where, name) else f"{where.name}.{name}".strip(".")

    def _is_logger(self, module: Module, name: str) -> bool:
        numbers = module.definitions[name]
        statement = module.statements[numbers[0]]
        if len(numbers) != 1 or not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            return False
        parts = dotted_name(statement.value.func)
        return bool(parts) and self.origin(parts, module) == neutral.LOGGER_FACTORY
