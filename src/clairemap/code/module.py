"""A module of the package as definitions by name, imports, and statements with effects."""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from clairemap.code.names import Target, bindings, imported

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Module:
    """A parsed module; `name` is its dotted name without the package's ('' for the package, 'script' for a script)."""

    def __init__(self, name: str, path: Path, *, is_script: bool = False) -> None:
        self.name = name
        self.path = path
        self.is_script = is_script
        self.tree = ast.parse(path.read_bytes())

    @cached_property
    def statements(self) -> tuple[ast.stmt, ...]:
        """Top-level statements that run: not those for type checkers, nor those for a script in other modules."""
        return tuple(self._running(self.tree.body))

    def _running(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            test = ast.unparse(statement.test) if isinstance(statement, ast.If) else ""
            if isinstance(statement, ast.If) and test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                yield from self._running(statement.orelse)
            elif self.is_script or test != "__name__ == '__main__'":
                yield statement

    @cached_property
    def definitions(self) -> dict[str, tuple[int, ...]]:
        """Numbers of the statements that bind each name, except imports."""
        found: dict[str, tuple[int, ...]] = {}
        for number, names in enumerate(self._bound):
            for name in names:
                found[name] = (*found.get(name, ()), number)
        return found

    def bound_by(self, number: int) -> tuple[str, ...]:
        """Return the names that a statement binds, sorted."""
        return self._bound[number]

    @cached_property
    def _bound(self) -> list[tuple[str, ...]]:
        return [tuple(sorted(_bound_by(statement))) for statement in self.statements]

    @cached_property
    def imports(self) -> dict[str, set[Target]]:
        """Targets of the top-level imports by bound name; '*' for star imports."""
        found: dict[str, set[Target]] = {}
        for node in self._import_statements:
            for name, target in bindings(node).items():
                found.setdefault(name, set()).add(target)
        return found

    @cached_property
    def imported(self) -> tuple[Target, ...]:
        """What the top-level imports may run."""
        return tuple(target for node in self._import_statements for target in imported(node))

    @cached_property
    def used_names(self) -> frozenset[str]:
        """All names in the code, and the texts that it exports as names."""
        names = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        exported = (s for s in self.statements if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == "__all__")
        return frozenset(names.union(*map(_texts, exported)))

    @cached_property
    def data_files(self) -> tuple[Path, ...]:
        """The files in the module's folder, except modules, whose names occur in strings of the code."""
        files = [file for file in self.path.parent.iterdir() if file.suffix not in (".py", ".pyc") and file.is_file()]
        if not files:
            return ()
        texts = _texts(self.tree) - _docstrings(self.tree)
        return tuple(file for file in sorted(files) if any(file.name in text for text in texts))

    @cached_property
    def _import_statements(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        return tuple(
            node
            for statement in self.statements
            if not isinstance(statement, DEFINITIONS)
            for node in ast.walk(statement)
            if isinstance(node, ast.Import | ast.ImportFrom)
        )


def _texts(node: ast.AST) -> set[str]:
    constants = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def _docstrings(tree: ast.Module) -> set[str]:
    documented = (ast.Module, *DEFINITIONS)
    found = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    return {text for text in found if text}


def is_definition(statement: ast.stmt) -> bool:
    """Whether a top-level statement only binds names, apart from effects of the expressions in it."""
    if isinstance(statement, ast.Assign):
        return all(_is_name(target) for target in statement.targets)
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _is_name(statement.target)
    return isinstance(statement, DEFINITIONS) or type(statement).__name__ == "TypeAlias"


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _bound_by(statement: ast.stmt) -> set[str]:
    if isinstance(statement, DEFINITIONS):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr):
        return set()
    names: set[str] = set()
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.comprehension):
            waiting += ast.iter_child_nodes(node)
    return names
