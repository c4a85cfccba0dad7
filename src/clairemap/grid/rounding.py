"""Whole numbers rounded up: how many parts cover a length, and the next multiple."""


def ceil_div(value: int, divisor: int) -> int:
    """Return `value` divided by a positive `divisor`, rounded up; negative values round towards zero."""
    return -(-value // divisor)


def align_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of a positive number that is at least `value`."""
    return ceil_div(value, multiple) * multiple
