"""STAC catalogues: reading items, pairs of optical and SAR items, and the sample sheet of the pairs."""
