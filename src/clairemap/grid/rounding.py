"""Integer division and multiples, rounded up."""


def ceil_div(value: int, divisor: int) -> int:
    """Return `value` divided by a positive `divisor`, rounded up."""
    return -(-value // divisor)


def align_up(value: int, multiple: int) -> int:
    """Return the smallest multiple of a positive `multiple` that is at least `value`."""
    return ceil_div(value, multiple) * multiple
