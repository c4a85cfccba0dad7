"""Where the levels begin that explanations and the report speak of."""

HIGH_CONFIDENCE_PCT = 80
LOW_CONFIDENCE_PCT = 60
GOOD_ACCURACY_PCT = 85
POOR_ACCURACY_PCT = 70
GOOD_IOU = 0.75
POOR_IOU = 0.5
RELEVANT_CLASS_PCT = 1.0
"""Share of a tile's labelled pixels from which on a class's IoU bears on the agreement of the whole tile."""

MOSTLY_ONE_SENSOR_PCT = 65
"""Weight of a sensor from which on a map rests mostly on it."""
