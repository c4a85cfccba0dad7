"""Accuracy and areas of a map from a probability sample: drawing it, reading the interpretation, estimating."""
