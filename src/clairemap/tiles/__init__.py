"""Training data: tile index, statistics, splits, crops."""
