"""Readers of published data sets: folder layouts, official splits, and chips arranged in sheets."""
