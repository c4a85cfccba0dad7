"""Sliding windows over scenes and the mosaic of a region."""
