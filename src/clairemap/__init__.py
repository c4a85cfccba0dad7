"""Land-cover maps from optical and SAR scenes: the library behind the workflow."""

__version__ = "0.1.0"
