"""Land-cover maps from optical and SAR scenes: the library behind the workflow.

`open_map`, `open_pair` and `open_probabilities` return results as xarray data sets; the first use imports xarray.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clairemap.results import open_map, open_pair, open_probabilities

__version__ = "0.1.0"

__all__ = ["__version__", "open_map", "open_pair", "open_probabilities"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any attribute of the module `results`
    """Return a function of the module `results`, which is imported at its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from clairemap import results  # noqa: PLC0415 - every job imports this package; xarray takes a second

    return getattr(results, name)
