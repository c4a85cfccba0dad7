"""Canonical text of Python code: equal for code that differs in layout only, in all Python versions."""

import ast
import hashlib
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

LEFT_OUT = frozenset({"ctx", "kind", "type_comment"})


def digest(*nodes: ast.AST) -> str:
    """Return the SHA-256 of code, without comments, layout and positions."""
    return hashlib.sha256("\n".join(map(_text, nodes)).encode("utf-8", "surrogatepass")).hexdigest()


def _text(value: object) -> str:
    if isinstance(value, ast.AST):
        if isinstance(value, ast.Constant):
            return f"Constant({type(value.value).__name__}:{value.value!r})"
        fields = ((name, getattr(value, name, None)) for name in value._fields if name not in LEFT_OUT)
        # Newer versions of Python add fields: leave out the empty ones.
        filled = [f"{name}={_text(held)}" for name, held in fields if held is not None and held != []]
        return f"{type(value).__name__}({','.join(filled)})"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return f"{type(value).__name__}:{value!r}"


def copied(node: Node) -> Node:
    """Return a deep copy of code, without positions; much faster than `copy.deepcopy`."""
    new = type(node)()
    for name in node._fields:
        held = getattr(node, name, None)
        if isinstance(held, ast.AST):
            held = copied(held)
        elif isinstance(held, list):
            held = [copied(one) if isinstance(one, ast.AST) else one for one in held]
        setattr(new, name, held)
    return new


def dotted_name(node: ast.AST) -> tuple[str, ...]:
    """Return the parts of ``a.b.c``; empty if the expression is anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def bound_names(scope: ast.AST) -> frozenset[str]:
    """Return the names that a function, lambda or comprehension binds: parameters, targets, inner definitions.

    Imports are not included, nor names that are declared global or nonlocal.
    """
    found: set[str] = set()
    declared: set[str] = set()
    waiting: list[ast.AST] = []
    if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        args = scope.args
        found |= {arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
        found |= {arg.arg for arg in (args.vararg, args.kwarg) if arg is not None}
        waiting += scope.body if isinstance(scope.body, list) else [scope.body]
    else:
        waiting += [generator.target for generator in scope.generators]  # type: ignore[attr-defined]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found.add(node.rest)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            declared.update(node.names)
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            # Targets of a comprehension are its own names; only `:=` binds in the function around it.
            found |= {inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)}
            continue
        waiting += ast.iter_child_nodes(node)
    return frozenset(found - declared)
