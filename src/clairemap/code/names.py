"""The names that code refers to: dotted names that it does not bind itself, its imports, and what it reads unseen."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from clairemap.code import neutral
from clairemap.code.syntax import bound_names, dotted_name


@dataclass(frozen=True)
class Target:
    """What an import binds: a module, or a name of one. `level` counts the dots of a relative import."""

    module: str
    name: str | None = None
    level: int = 0


@dataclass
class Names:
    """Names that code refers to.

    `chains` are dotted names that come from outside; `own` are names that may be
    bound here too, in class bodies for example; `values` are those used other than by a call or an attribute;
    `imports` are the imports within functions, by bound name; `modules` are all imports; `strings` are its texts;
    `texts_of` are the errors whose texts handlers use for something else than another error; () is any error.
    """

    chains: set[tuple[str, ...]] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    values: set[tuple[str, ...]] = field(default_factory=set)
    imports: dict[str, set[Target]] = field(default_factory=dict)
    modules: set[Target] = field(default_factory=set)
    stars: set[Target] = field(default_factory=set)
    strings: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    texts_of: set[tuple[str, ...]] = field(default_factory=set)


def names_of(statements: Iterable[ast.AST]) -> Names:
    """Return the names that statements refer to."""
    visitor = _Visitor()
    for statement in statements:
        visitor.visit(statement)
    return visitor.names


def bindings(node: ast.Import | ast.ImportFrom) -> dict[str, Target]:
    """Return what an import statement binds, by name; a star import binds '*'."""
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return {alias.asname or alias.name: Target(module, alias.name, node.level) for alias in node.names}
    return {
        alias.asname or alias.name.split(".")[0]: Target(alias.name if alias.asname else alias.name.split(".")[0])
        for alias in node.names
    }


def imported(node: ast.Import | ast.ImportFrom) -> list[Target]:
    """Return the modules that an import statement may run; a name may be a module too."""
    if isinstance(node, ast.Import):
        return [Target(alias.name) for alias in node.names]
    return list(bindings(node).values())


class _Visitor(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names = Names()
        self._bound: list[frozenset[str]] = []

    def visit(self, node: ast.AST) -> None:
        """Collect the names of a node by the method ``_visit_`` and the node's class."""
        getattr(self, f"_visit_{type(node).__name__}", self.generic_visit)(node)

    # References

    def _visit_Name(self, node: ast.Name) -> None:
        self._refer((node.id,), is_value=True)

    def _visit_Attribute(self, node: ast.Attribute) -> None:
        self.names.attributes.add(node.attr)
        parts = dotted_name(node)
        if parts:
            self.names.attributes.update(parts[1:])
            self._refer(parts, is_value=True)
        else:
            self.visit(node.value)

    def _visit_Call(self, node: ast.Call) -> None:
        parts = dotted_name(node.func)
        if parts:
            self.names.attributes.update(parts[1:])
            self._refer(parts, is_value=False)
        else:
            self.visit(node.func)
        itemwise = parts and (".".join(parts) in neutral.ITEMWISE or parts[-1] == "partial")
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            name = dotted_name(argument)
            if itemwise and name:
                self.names.attributes.update(name[1:])
                self._refer(name, is_value=False)
            else:
                self.visit(argument)

    def _visit_Global(self, node: ast.Global) -> None:
        self.names.chains |= {(name,) for name in node.names}

    def _visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.names.strings.add(node.value)

    def _refer(self, parts: tuple[str, ...], *, is_value: bool) -> None:
        if any(parts[0] in names for names in self._bound):
            return
        self.names.chains.add(parts)
        if is_value:
            self.names.values.add(parts)

    # Imports within functions

    def _visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def _visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.names.modules.update(imported(node))
        for name, target in bindings(node).items():
            if name == "*":
                self.names.stars.add(target)
            else:
                self.names.imports.setdefault(name, set()).add(target)

    def _visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._parameters(node)
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.names.own.add(statement.name)
            else:
                self.names.own |= {
                    inner.id
                    for inner in ast.walk(statement)
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
                }
        self.generic_visit(node)

    def _parameters(self, node: ast.AST) -> None:
        self.names.own |= {parameter.name for parameter in getattr(node, "type_params", ())}

    # Scopes: what is evaluated outside is visited before the scope begins

    def _visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def _visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._parameters(node)
        args = node.args
        outside = [*node.decorator_list, *args.defaults, *(default for default in args.kw_defaults if default)]
        annotated = (*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg)
        outside += [arg.annotation for arg in annotated if arg is not None and arg.annotation is not None]
        outside += [node.returns] if node.returns is not None else []
        for one in outside:
            self._annotation(one)
        self._scope(node, node.body)

    def _visit_Lambda(self, node: ast.Lambda) -> None:
        for one in (*node.args.defaults, *(default for default in node.args.kw_defaults if default)):
            self.visit(one)
        self._scope(node, [node.body])

    def _visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node, [node.elt], node.generators)

    def _visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node, [node.elt], node.generators)

    def _visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node, [node.elt], node.generators)

    def _visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node, [node.key, node.value], node.generators)

    def _comprehension(self, node: ast.AST, results: list[ast.expr], generators: list[ast.comprehension]) -> None:
        self.visit(generators[0].iter)
        self._scope(node, [*results, *generators])

    def _scope(self, node: ast.AST, inside: Iterable[ast.AST]) -> None:
        self._bound.append(bound_names(node))
        for one in inside:
            self.visit(one)
        self._bound.pop()

    # Annotations may be texts

    def _visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def _annotation(self, node: ast.expr) -> None:
        """Visit an expression, and texts in it as expressions: annotations may be quoted."""
        self.visit(node)
        for text in ast.walk(node):
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                self._quoted(text.value)

    def _quoted(self, text: str) -> None:
        try:
            expression = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError):
            return
        # Most are values of a Literal or texts for readers, not names: unknown ones are left out.
        self.names.own |= {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
        self.visit(expression)

    # Handlers

    def _visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name and _uses_text(node):
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            self.names.texts_of |= {dotted_name(kind) if kind is not None else () for kind in kinds}
        self.generic_visit(node)


def _uses_text(node: ast.ExceptHandler) -> bool:
    """Whether a handler does anything else with its error than raise it or another one."""
    if node.body and isinstance(node.body[-1], ast.Raise):
        return False
    raised = {id(inner) for one in ast.walk(node) if isinstance(one, ast.Raise) for inner in ast.walk(one)}
    return any(isinstance(one, ast.Name) and one.id == node.name and id(one) not in raised for one in ast.walk(node))
