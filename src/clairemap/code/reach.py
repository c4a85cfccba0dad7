"""What a script reaches by name: the definitions of the package that can change its results.

Starting from the script's statements, names are followed from definition to definition. Where a name cannot be followed
(a module used as a value, a star import, an unknown name, code in texts) the whole module counts.

Importing a module runs its top-level statements. Those that only bind names count if the names are reached; all others
count for each module that is imported: calls as statements, assignments to attributes or items, loops, registering
decorators, and values from calls that are not known to be free of effects.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.code import neutral
from clairemap.code.effects import Effects
from clairemap.code.module import Module
from clairemap.code.names import Names, Target, names_of
from clairemap.code.normal import FUNCTIONS, Variant, normalised
from clairemap.code.package import Package
from clairemap.code.syntax import digest

DOTTED = re.compile(r"\w+(?:\.\w+)+")


@dataclass(frozen=True)
class Place:
    """A top-level statement: number `number` of a module."""

    module: Module
    number: int


@dataclass(frozen=True)
class Reached:
    """What a script reaches.

    `hashes` are those of the definitions by module and name. `modules` are imported. `whole` are those that count as a
    whole because of a name that cannot be resolved. `as_written` tells that texts count too.
    """

    hashes: dict[tuple[Module, str], str]
    modules: tuple[Module, ...]
    whole: frozenset[str]
    as_written: bool


@dataclass
class _Code:
    digest: str
    names: Names
    keys: set[str] = field(default_factory=set)


class Analysis:
    """The analysis of a package for any number of scripts."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.effects = Effects(package)
        self._codes: dict[tuple[Place, Variant], _Code] = {}

    def reached(self, script: Path) -> Reached:
        """Return what a script reaches. The name of a module's statements that bind no name is ``(statements)``."""
        module = Module("script", script, is_script=True)
        walk = _Walk(self, module)
        as_written = walk.reads_source or walk.reads_texts
        if as_written:
            walk = _Walk(self, module, as_written=True, all_code=walk.reads_source)
        modules = sorted(walk.imported - {module}, key=lambda known: known.name)
        return Reached(walk.hashes(), tuple(modules), frozenset(known.name for known in walk.whole), as_written)

    def code(self, place: Place, variant: Variant) -> _Code:
        """Return the hash of a statement and the names in it."""
        key = place, variant
        if key not in self._codes:
            module = place.module
            statements = normalised(
                module.statements[place.number],
                lambda parts: self.package.origin(parts, module),
                variant,
                in_errors=module.name == neutral.ERRORS,
            )
            self._codes[key] = _Code(digest(*statements) if statements else "", names_of(statements))
        return self._codes[key]


class _Walk:
    """Follows names from the statements of a script; `as_written` counts texts, `all_code` unreached definitions."""

    def __init__(self, analysis: Analysis, script: Module, *, as_written: bool = False, all_code: bool = False) -> None:
        self.imported: set[Module] = set()
        self.whole: set[Module] = set()
        self.reads_source = False
        self.reads_texts = False
        self._analysis = analysis
        self._package = analysis.package
        self._as_written = as_written
        self._all_code = all_code
        self._codes: dict[tuple[Place, Variant], _Code] = {}
        self._waiting: list[tuple[Place, Variant]] = []
        self._import(script)
        while self._waiting:
            self._follow(*self._waiting.pop())

    # Statements to include

    def _import(self, module: Module) -> None:
        if module in self.imported:
            return
        self.imported.add(module)
        numbers = range(len(module.statements)) if self._all_code else self._analysis.effects.numbers(module)
        for number in numbers:
            self._include(Place(module, number))
        for target in module.imported:
            self._import_target(target, module)

    def _import_target(self, target: Target, module: Module) -> None:
        for name in self._package.run_by(target, module):
            self._import(self._package.module(name))

    def _include_whole(self, module: Module) -> None:
        if module in self.whole:
            return
        self.whole.add(module)
        self._import(module)
        for number in range(len(module.statements)):
            self._include(Place(module, number))

    def _include_name(self, module: Module, name: str, *, is_value: bool) -> None:
        self._import(module)
        for number in module.definitions[name]:
            is_function = isinstance(module.statements[number], FUNCTIONS)
            self._include(Place(module, number), annotated=is_value and is_function)

    def _include(self, place: Place, *, annotated: bool = False) -> None:
        variant = Variant.ANNOTATED if annotated else Variant.PLAIN
        variant = Variant.AS_WRITTEN if self._as_written else variant
        if (place, variant) not in self._codes:
            self._codes[place, variant] = self._analysis.code(place, variant)
            self._waiting.append((place, variant))

    # What a statement refers to

    def _follow(self, place: Place, variant: Variant) -> None:
        code, module = self._codes[place, variant], place.module
        for target in code.names.modules:
            self._import_target(target, module)
        for star in code.names.stars:
            if (name := self._package.dotted(star, module)) is not None:
                self._include_whole(self._package.module(name))
        for parts in code.names.chains:
            self._follow_name(parts, code, module)
        self._follow_texts(code.names, module)
        self.reads_source |= bool(code.names.attributes & neutral.READS_SOURCE)
        self.reads_texts |= bool(code.names.attributes & neutral.READS_ERRORS)

    def _follow_name(self, parts: tuple[str, ...], code: _Code, module: Module) -> None:
        root, names = parts[0], code.names
        known = root in module.definitions or root in module.imports or root in names.imports
        if root in names.own and not known and "*" not in module.imports and not names.stars:
            return
        meaning, written = self._package.meaning(parts, module, names.imports), ".".join(parts)
        for where, name in meaning.definitions:
            code.keys.add(f"{written}={where.name}.{name}")
            if f"{where.name}.{name}" not in neutral.NEUTRAL:
                self._include_name(where, name, is_value=parts in names.values)
        for whole in meaning.modules:
            code.keys.add(f"{written}={whole.name}.*")
            self._include_whole(whole)
        for name in meaning.elsewhere:
            code.keys.add(f"{written}={name}")
            self._follow_outside(name, module)

    def _follow_outside(self, name: str, module: Module) -> None:
        if name in neutral.RUNS_TEXT:
            self._include_whole(module)
        if any(name == reader or name.startswith(f"{reader}.") for reader in neutral.READS_ANY_MODULE):
            for known in self._package.names:
                self._include_whole(self._package.module(known))
        self.reads_source |= name.rpartition(".")[2] in neutral.READS_SOURCE
        self.reads_texts |= name.rpartition(".")[2] in neutral.READS_ERRORS

    def _follow_texts(self, names: Names, module: Module) -> None:
        """Follow modules that a text names, and notice handlers that use the text of an error of ours."""
        first = f"{self._package.root.name}."
        for dotted in (dotted for text in names.strings if first in text for dotted in DOTTED.findall(text)):
            if dotted.startswith(first) and dotted.removeprefix(first) in self._package.names:
                self._include_whole(self._package.module(dotted.removeprefix(first)))
        for parts in names.texts_of:
            meaning = self._package.meaning(parts, module, names.imports) if parts else None
            if meaning is None or meaning.modules or meaning.definitions:
                self.reads_texts = True
            else:
                self.reads_texts |= bool(meaning.elsewhere & (neutral.BUILTIN_ERRORS | neutral.ANY_ERROR))

    # Hashes

    def hashes(self) -> dict[tuple[Module, str], str]:
        """Return a hash of each definition by module and name."""
        found: dict[tuple[Module, str], list[str]] = {}
        for (place, variant), code in sorted(self._codes.items(), key=_order):
            if code.digest:
                entry = f"{variant.name} {code.digest} {' '.join(sorted(code.keys))}"
                for name in place.module.bound_by(place.number) or ("(statements)",):
                    found.setdefault((place.module, name), []).append(entry)
        return {key: hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] for key, lines in found.items()}


def _order(item: tuple[tuple[Place, Variant], _Code]) -> tuple[int, str]:
    (place, variant), _ = item
    return place.number, variant.name
