"""Thresholds of the levels in explanations and report, such as high confidence."""

HIGH_CONFIDENCE_PCT = 80
LOW_CONFIDENCE_PCT = 60
GOOD_ACCURACY_PCT = 85
POOR_ACCURACY_PCT = 70
GOOD_IOU = 0.75
POOR_IOU = 0.5
RELEVANT_CLASS_PCT = 1.0
"""Minimum share of a tile's labelled pixels for a class's IoU to count in the tile's agreement, percent."""

MOSTLY_ONE_SENSOR_PCT = 65
"""Minimum weight of a sensor for a map to be mostly from that sensor, percent."""
