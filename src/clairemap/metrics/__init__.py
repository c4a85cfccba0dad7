"""Accuracy from summed confusion matrices."""
