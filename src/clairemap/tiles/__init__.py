"""What training sees: tile index, statistics, splits, crops."""
