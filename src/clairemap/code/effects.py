"""Which top-level statements do more than bind names, so that importing their module may change results."""

import ast
from collections.abc import Iterator

from clairemap.code import neutral
from clairemap.code.module import DEFINITIONS, Module, is_definition
from clairemap.code.names import bindings
from clairemap.code.normal import EFFECTS, FUNCTIONS
from clairemap.code.package import Package
from clairemap.code.syntax import dotted_name

CONSTRUCTORS = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__", "model_post_init"}
)


class Effects:
    """Judges statements of a package and of scripts."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._numbers: dict[Module, tuple[int, ...]] = {}

    def numbers(self, module: Module) -> tuple[int, ...]:
        """Return the numbers of the statements with an effect."""
        if module not in self._numbers:
            judged = (self.has_effect(statement, module) for statement in module.statements)
            self._numbers[module] = tuple(number for number, has in enumerate(judged) if has)
        return self._numbers[module]

    def has_effect(self, statement: ast.stmt, module: Module) -> bool:
        """Whether a top-level statement may do more than bind names.

        Imports are judged by what they import, except those from other packages of names that the module does not use:
        they are there for an effect.
        """
        if isinstance(statement, ast.Import | ast.ImportFrom):
            foreign = {
                name for name, target in bindings(statement).items() if self._package.dotted(target, module) is None
            }
            return not foreign <= module.used_names | {"*"}
        if isinstance(statement, ast.Pass):
            return False
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            return False
        return not is_definition(statement) or not self._only_defines(statement, module)

    def _only_defines(self, statement: ast.stmt, module: Module) -> bool:
        if isinstance(statement, ast.ClassDef):
            return self._is_plain_class(statement, module)
        if isinstance(statement, FUNCTIONS):
            plain = all(self._is_plain_decorator(one, module) for one in statement.decorator_list)
            defaults = (*statement.args.defaults, *(one for one in statement.args.kw_defaults if one))
            return plain and all(self._is_constant(one, module) for one in defaults)
        value = getattr(statement, "value", None)
        return value is None or self._is_constant(value, module)

    def _is_plain_class(self, node: ast.ClassDef, module: Module) -> bool:
        return (
            not node.keywords
            and all(self._is_plain_decorator(one, module) for one in node.decorator_list)
            and all(self._is_plain_base(one, module) for one in node.bases)
            and all(self._is_plain_member(one, module) for one in node.body)
        )

    def _is_plain_member(self, member: ast.stmt, module: Module) -> bool:
        if isinstance(member, ast.Expr) and isinstance(member.value, ast.Constant):
            return True
        return isinstance(member, ast.Pass) or (is_definition(member) and self._only_defines(member, module))

    def _is_plain_decorator(self, node: ast.expr, module: Module) -> bool:
        function = node.func if isinstance(node, ast.Call) else node
        if isinstance(function, ast.Attribute) and function.attr in ("setter", "deleter"):
            return True
        parts = dotted_name(function)
        return bool(parts) and self._package.origin(parts, module) in neutral.PLAIN_DECORATORS

    def _is_plain_base(self, node: ast.expr, module: Module) -> bool:
        parts = dotted_name(node.value if isinstance(node, ast.Subscript) else node)
        if not parts:
            return False
        if self._package.origin(parts, module) in neutral.PLAIN_BASES:
            return True
        classes = list(self._classes(parts, module))
        return bool(classes) and all(self._keeps_no_list(one, where) for one, where in classes)

    def _keeps_no_list(self, node: ast.ClassDef, module: Module) -> bool:
        """Whether subclasses of a class of the package leave no trace."""
        hooks = {"__init_subclass__", "__set_name__"}
        members = {member.name for member in node.body if isinstance(member, DEFINITIONS)}
        return not hooks & members and not node.keywords and all(self._is_plain_base(one, module) for one in node.bases)

    def _classes(self, parts: tuple[str, ...], module: Module) -> Iterator[tuple[ast.ClassDef, Module]]:
        """Yield the classes of the package that a name refers to; nothing if it may be anything else."""
        meaning = self._package.meaning(parts, module)
        if meaning.modules or meaning.elsewhere or len(meaning.definitions) != 1:
            return
        ((where, attribute),) = meaning.definitions
        numbers = where.definitions[attribute]
        statement = where.statements[numbers[0]]
        if len(numbers) == 1 and isinstance(statement, ast.ClassDef) and parts[-1] in (attribute, *_aliases(parts)):
            yield statement, where

    def _is_constant(self, node: ast.AST, module: Module) -> bool:
        """Whether evaluating an expression leaves no trace; calls must be known, or construct plain classes."""
        for one in ast.walk(node):
            if isinstance(one, EFFECTS):
                return False
            if isinstance(one, ast.Call) and not self._is_constant_call(one, module):
                return False
        return True

    def _is_constant_call(self, node: ast.Call, module: Module) -> bool:
        parts = dotted_name(node.func)
        if not parts:
            return isinstance(node.func, ast.Attribute) and node.func.attr in neutral.CONSTANT_METHODS
        origin = self._package.origin(parts, module)
        if origin in neutral.CONSTANT_CALLS:
            return True
        if len(parts) > 1 and parts[-1] in neutral.CONSTANT_METHODS and not origin.startswith("numpy."):
            return True
        classes = list(self._classes(parts, module))
        return bool(classes) and all(self._constructs_plainly(one, where) for one, where in classes)

    def _constructs_plainly(self, node: ast.ClassDef, module: Module) -> bool:
        members = {member.name for member in node.body if isinstance(member, DEFINITIONS)}
        if members & CONSTRUCTORS:
            return False
        for base in node.bases:
            parts = dotted_name(base.value if isinstance(base, ast.Subscript) else base)
            if self._package.origin(parts, module) in neutral.PLAIN_BASES:
                continue
            classes = list(self._classes(parts, module))
            if not classes or not all(self._constructs_plainly(one, where) for one, where in classes):
                return False
        return True


def _aliases(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return a name that stands alone: it may be an alias of a class, but no attribute of it."""
    return parts if len(parts) == 1 else ()
