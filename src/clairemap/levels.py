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

FEW_PX = 100
"""Below this number of pixels, texts give no percentage or mean."""

MOST_PCT = 60
"""Minimum share of the mapped area for a class to be most of a tile, percent."""

PARTLY_MAPPED_PCT = 90
"""Below this share of mapped pixels, a text says first how much of a tile is mapped, percent."""

LEADING_GAP_PCT = 5
"""A class is the largest if its share is this much above the next one's, percentage points."""

SMALL_SHARE_PCT = 10
"""Classes with a smaller share of the mapped area are named without it, percent."""

NOTABLE_CLOUDS_PCT = 5
"""From this share of a tile on, each text mentions clouds, percent."""

UNBALANCED = 1.25
"""A map shows too much of a class if it maps this many times its labelled pixels, too little if the inverse."""

UNBALANCED_PCT = 5
"""Least difference between producer's and user's accuracy for a text to say so, percentage points."""

CLASS_GAP_PCT = 10
"""A class's confidence is lower than the tile's if it is this much below, percentage points."""

CLASS_GAP_IOU = 0.1
"""Minimum difference of IoUs for texts to compare two classes."""

NOTABLE_CONFUSION_PCT = 20
"""Minimum share of a class's labelled pixels mapped as another class for texts to recommend a check, percent."""

NOTABLE_CHANGE_PCT = 10
"""Least share of a class that would be mapped otherwise without a sensor for texts to say so, percent."""

LITTLE_CHANGE_PCT = 5
"""Below this share of changed pixels, a map hardly changes without a sensor, percent."""

SENSOR_GAP_PCT = 20
"""Least difference between the optical weight of a class and of its tile for texts to say so, percentage points."""

CLOSE_MARGIN_PCT = 25
"""Below this mean difference to the second class's probability, a decision is close, percentage points."""

MANY_EDGES_PCT = 30
"""Least share of pixels at edges between classes for texts to say so, percent."""

MANY_ISOLATED_PCT = 5
"""Least share of isolated pixels for texts to say so, percent."""
