"""Lists in messages."""

from collections.abc import Collection
from itertools import islice


def shortened(items: Collection[object], limit: int, separator: str = ", ") -> str:
    """Return the first `limit` items and the number of further ones: ``a, b and 3 more``."""
    first = separator.join(str(item) for item in islice(items, limit))
    return f"{first} and {len(items) - limit} more" if len(items) > limit else first
