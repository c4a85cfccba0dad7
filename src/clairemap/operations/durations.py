"""Durations and amounts as text."""

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Return a duration with two units at most: ``40 s``, ``5 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds < MINUTE_S:
        return f"{max(1, round(seconds))} s" if seconds else "0 s"
    if seconds < HOUR_S:
        return f"{round(seconds / MINUTE_S)} min"
    if seconds < DAY_S:
        minutes = round(seconds / MINUTE_S)
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / HOUR_S)
    return _two(hours // 24, "d", hours % 24, "h")


def _two(large: int, unit: str, small: int, below: str) -> str:
    return f"{large} {unit} {small} {below}" if small else f"{large} {unit}"


def hours(seconds: float) -> str:
    """Return hours with two significant digits below ten: ``0.004``, ``1.5``, ``120``."""
    value = seconds / HOUR_S
    if not value:
        return "0"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value >= 0.001 else "<0.001"
