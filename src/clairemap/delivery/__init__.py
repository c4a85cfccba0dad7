"""Post-processing of finished maps: minimum mapping unit, polygons."""
