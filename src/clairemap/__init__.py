"""Land-cover maps from optical and SAR scenes; the parts that the workflow puts together."""

__version__ = "0.1.0"
