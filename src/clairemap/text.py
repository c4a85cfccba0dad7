"""Lists in messages."""

from collections.abc import Collection
from itertools import islice


def shortened(items: Collection[object], most: int, separator: str = ", ") -> str:
    """Return the first `most` items, and how many more there are: ``a, b and 3 more``."""
    first = separator.join(str(item) for item in islice(items, most))
    return f"{first} and {len(items) - most} more" if len(items) > most else first
