"""Code without what changes no result: log messages, texts of errors, docstrings, annotations, descriptions.

`normalised` changes a copy of a statement. Its rules are cautious: a name that a function binds itself is never taken
for the module's logger or for `progress`, and calls with a possible effect stay even where the text around them goes.
"""

import ast
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from clairemap.code import neutral
from clairemap.code.syntax import bound_names, copied, dotted_name

Origin = Callable[[tuple[str, ...]], str]
"""Returns what a dotted name of the module refers to: see `neutral` for the form; '' if unknown."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ITERATING = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Starred, ast.Subscript)
EFFECTS = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)


class Variant(Enum):
    """What counts in a definition besides the code that runs."""

    PLAIN = "code only"
    ANNOTATED = "also annotations of functions"
    AS_WRITTEN = "everything except comments and layout"


def normalised(statement: ast.stmt, origin: Origin, variant: Variant, *, in_errors: bool) -> list[ast.stmt]:
    """Return a top-level statement without what changes no result; empty if nothing is left.

    Args:
        statement: of a module; it is not changed.
        origin: tells what a name of the module refers to.
        variant: what else to keep.
        in_errors: the module is the one with the error classes.
    """
    if variant is Variant.AS_WRITTEN:
        return [statement]
    return _Neutral(origin, variant, in_errors).statements([copied(statement)])


def impure_calls(node: ast.AST, is_quiet: Callable[[ast.Call], bool]) -> Iterator[ast.expr]:
    """Yield the outermost expressions in a node that may have an effect: other calls, `:=`, await, yield, and others.

    Comprehensions, `*` and `in` may exhaust an iterator; an index may add an entry to a dictionary with defaults.
    """
    is_search = isinstance(node, ast.Compare) and any(isinstance(one, ast.In | ast.NotIn) for one in node.ops)
    is_call = isinstance(node, ast.Call) and not is_quiet(node)
    if isinstance(node, ast.expr) and (isinstance(node, (*EFFECTS, *ITERATING)) or is_search or is_call):
        yield node
    elif not isinstance(node, ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from impure_calls(child, is_quiet)


class _Neutral(ast.NodeTransformer):
    def __init__(self, origin: Origin, variant: Variant, in_errors: bool) -> None:
        self._origin_of = origin
        self._keeps_annotations = variant is Variant.ANNOTATED
        self._in_errors = in_errors
        self._shadowed: list[frozenset[str]] = []
        self._in_class = [False]

    def visit(self, node: ast.AST) -> Any:  # noqa: ANN401 - as in ast
        """Return a node without what changes no result, by the method ``_visit_`` and the node's class."""
        method = getattr(self, f"_visit_{type(node).__name__}", self.generic_visit)
        return method(node)

    def statements(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Return statements without what changes no result."""
        kept: list[ast.stmt] = []
        for statement in statements:
            found = self.visit(statement)
            kept += found if isinstance(found, list) else [found] if found is not None else []
        return kept

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Return a node with changed children, without pass statements."""
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            held = getattr(node, field, None)
            if isinstance(held, list):
                setattr(node, field, [one for one in held if not isinstance(one, ast.Pass)])
        return node

    # Definitions

    def _visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def _visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        plain = all(self._is_plain_decorator(decorator) for decorator in node.decorator_list)
        if plain and not self._keeps_annotations:
            node.returns = None
            args = node.args
            for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg):
                if arg is not None:
                    arg.annotation = None
        imported = {
            (alias.asname or alias.name).split(".")[0]
            for inner in ast.walk(node)
            if isinstance(inner, ast.Import | ast.ImportFrom)
            for alias in inner.names
        }
        self._shadowed.append(bound_names(node) | imported)
        self._in_class.append(False)
        self.generic_visit(node)
        self._in_class.pop()
        self._shadowed.pop()
        return node

    def _visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return self._scope(node)

    def _visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self._in_errors:
            node.body = [one for one in node.body if _member(one) not in neutral.ERROR_MEMBERS]
        self._in_class.append(True)
        self.generic_visit(node)
        self._in_class.pop()
        return node

    def _is_plain_decorator(self, node: ast.expr) -> bool:
        name = self._origin(node.func if isinstance(node, ast.Call) else node)
        return name in neutral.PLAIN_DECORATORS or (
            isinstance(node, ast.Attribute) and node.attr in ("setter", "deleter")
        )

    def _visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if self._in_class[-1]:  # dataclasses and pydantic read these
            return self.generic_visit(node)
        if node.value is None:
            return None
        plain = ast.Assign([node.target], node.value)
        return self.generic_visit(plain)

    # Statements

    def _visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt] | None:
        if isinstance(node.value, ast.Constant):
            return None
        if isinstance(node.value, ast.Call) and self._is_message(node.value):
            return [ast.Expr(self.visit(kept)) for kept in self._effects_of_arguments(node.value)]
        return self.generic_visit(node)

    def _visit_If(self, node: ast.If) -> ast.AST | None:
        self.generic_visit(node)
        is_empty = not node.body and not node.orelse
        return None if is_empty and not list(impure_calls(node.test, self._is_quiet)) else node

    def _visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.msg = None
        return self.generic_visit(node)

    def _visit_Raise(self, node: ast.Raise) -> ast.AST:
        node.exc = self._without_text(node.exc)
        if isinstance(node.cause, ast.Name | ast.Constant):
            node.cause = None
        return self.generic_visit(node)

    def _visit_Return(self, node: ast.Return) -> ast.AST:
        if isinstance(node.value, ast.Call) and self._is_package_error(node.value.func):
            node.value = self._without_text(node.value)
        return self.generic_visit(node)

    def _visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        used = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
        if node.name not in used:
            node.name = None
        return node

    def _visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self._without_progress(node.iter)
        return self.generic_visit(node)

    # Expressions

    def _visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._scope(node)

    def _visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._scope(node)

    def _visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._scope(node)

    def _visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._scope(node)

    def _scope(self, node: ast.AST) -> ast.AST:
        for generator in getattr(node, "generators", ()):
            generator.iter = self._without_progress(generator.iter)
        self._shadowed.append(bound_names(node))
        self.generic_visit(node)
        self._shadowed.pop()
        return node

    def _visit_Call(self, node: ast.Call) -> ast.AST:
        origin = self._origin(node.func)
        if origin == neutral.PROGRESS and self._has_label_only(node):
            node.args, node.keywords = node.args[:1], []
        elif (left_out := neutral.DESCRIPTIONS.get(origin)) is not None:
            node.keywords = [
                keyword
                for keyword in node.keywords
                if keyword.arg not in left_out or list(impure_calls(keyword.value, self._is_quiet))
            ]
        return self.generic_visit(node)

    def _without_progress(self, node: ast.expr) -> ast.expr:
        is_progress = isinstance(node, ast.Call) and self._origin(node.func) == neutral.PROGRESS
        return node.args[0] if isinstance(node, ast.Call) and is_progress and self._has_label_only(node) else node

    def _has_label_only(self, node: ast.Call) -> bool:
        """Whether a call of `progress` has its items first and nothing with an effect after them."""
        others = [*node.args[1:], *node.keywords]
        is_plain = bool(node.args) and not isinstance(node.args[0], ast.Starred)
        return is_plain and not any(list(impure_calls(other, self._is_quiet)) for other in others)

    def _without_text(self, node: ast.expr | None) -> ast.expr | None:
        if isinstance(node, ast.Call) and (
            self._is_package_error(node.func) or self._origin(node.func) in neutral.BUILTIN_ERRORS
        ):
            arguments = [*node.args, *node.keywords]
            parts = [one for argument in arguments for one in ast.walk(argument)]
            kept: list[ast.expr] = [one for one in parts if isinstance(one, EFFECTS)]
            return node.func if not kept else ast.Call(node.func, kept, [])
        return node

    def _effects_of_arguments(self, node: ast.Call) -> list[ast.expr]:
        return [kept for one in (*node.args, *node.keywords) for kept in impure_calls(one, self._is_quiet)]

    def _is_message(self, node: ast.Call) -> bool:
        parts = dotted_name(node.func)
        if len(parts) > 1 and parts[-1] in neutral.LOG_METHODS:
            return self._visible(parts) and self._origin_of(parts[:-1]) == neutral.LOGGER_FACTORY
        return self._origin(node.func) == neutral.WARN

    def _is_package_error(self, function: ast.expr) -> bool:
        return self._origin(function).startswith(f"{neutral.ERRORS}.")

    def _is_quiet(self, node: ast.Call) -> bool:
        return self._origin(node.func) in neutral.QUIET_CALLS

    def _origin(self, node: ast.expr) -> str:
        parts = dotted_name(node)
        return self._origin_of(parts) if parts and self._visible(parts) else ""

    def _visible(self, parts: tuple[str, ...]) -> bool:
        return not any(parts[0] in names for names in self._shadowed)


def _member(statement: ast.stmt) -> str:
    if isinstance(statement, FUNCTIONS):
        return statement.name
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return (
        statement.target.id if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) else ""
    )
