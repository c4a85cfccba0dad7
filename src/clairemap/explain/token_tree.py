"""Sentences as a tree of tokens: at each token, a model chooses among the tokens that continue a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Leaf = TypeVar("Leaf")


@dataclass
class TokenTree(Generic[Leaf]):
    """A node: the tokens that may follow, and the choice that is complete here, if any."""

    following: "dict[int, TokenTree[Leaf]]" = field(default_factory=dict)
    leaf: Leaf | None = None


def token_tree(choices: Iterable[tuple[Sequence[int], Leaf]]) -> TokenTree[Leaf]:
    """Return the tree of choices.

    Of choices with equal tokens the first is in the tree; of two that begin alike the shorter, if it ends there.
    """
    root: TokenTree[Leaf] = TokenTree()
    for tokens, leaf in choices:
        node = root
        for token in tokens:
            if node.leaf is not None:
                break
            node = node.following.setdefault(token, TokenTree())
        if node.leaf is None:
            node.leaf = leaf
            node.following.clear()
    return root
