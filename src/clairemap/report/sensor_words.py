"""The sensors of networks and scenes in words."""

from collections.abc import Mapping

from clairemap.outputs import FUSED
from clairemap.settings import View

SENSOR_WORDS: Mapping[View, str] = {FUSED: "optical and SAR", "optical": "optical", "sar": "SAR"}
