"""Memory and time that jobs request, from settings and scene sizes."""

from clairemap.settings import Settings


def memory_mb(rule: str, settings: Settings, gpus: int) -> int:  # noqa: ARG001
    """Return the memory of a job, MB."""
    return 3000


def minutes(rule: str, settings: Settings) -> int:  # noqa: ARG001
    """Return the time limit of a job, minutes."""
    return 60
