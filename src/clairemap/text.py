"""Lists and long texts in messages."""

from collections.abc import Collection
from itertools import islice


def shortened(items: Collection[object], limit: int, separator: str = ", ") -> str:
    """Return the first `limit` items and the number of further ones: ``a, b and 3 more``."""
    first = separator.join(str(item) for item in islice(items, limit))
    return f"{first} and {len(items) - limit} more" if len(items) > limit else first


def cut(text: str, length: int) -> str:
    """Return at most `length` characters of a text; a longer text ends with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
