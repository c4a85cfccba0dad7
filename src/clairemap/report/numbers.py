"""Formats of the page's numbers; unknown values are a dash."""

MISSING = "–"


def percent(share: float | None) -> str:
    """Return a share in 0..1 as percent with one decimal."""
    return MISSING if share is None else f"{100 * share:.1f} %"


def points(share: float | None) -> str:
    """Return a share in 0..1 as percent without the sign, for columns with the unit in their header."""
    return MISSING if share is None else f"{100 * share:.1f}"


def hundredths(share: float | None) -> str:
    """Return a share in 0..1 as percent without the sign, with two decimals: for small shares."""
    return MISSING if share is None else f"{100 * share:.2f}"


def count(number: int | None) -> str:
    """Return a whole number in groups of three digits."""
    return MISSING if number is None else f"{number:,}".replace(",", "\u202f")


def hectares(area_ha: float | None) -> str:
    """Return an area in whole hectares, small ones with a decimal."""
    if area_ha is None:
        return MISSING
    return f"{area_ha:.1f}" if area_ha < 100 else count(round(area_ha))


def pixels(value: float | None) -> str:
    """Return a length in pixels with two decimals."""
    return MISSING if value is None else f"{value:.2f}"


def signed(value: float) -> str:
    """Return a displacement with its sign."""
    return f"{value:+.2f}".replace("-", "\u2212")
