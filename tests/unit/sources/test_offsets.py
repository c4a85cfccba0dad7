"""One offset for each band, or an error that names the setting."""

import numpy as np
import pytest

from clairemap.errors import ValuesError
from clairemap.sources.offsets import BY_SCENE, OffsetKey, decided
from clairemap.sources.product import Evidence

DARK = np.linspace(1100, 4000, 1000)
REMOVED = np.linspace(100, 3000, 1000)

STATED = Evidence("add", "MTD, BOA_ADD_OFFSET", -1000)
TAG = Evidence("add", "a.jp2: tags scale 0.0001, offset -0.1", -1000.02)
NONE_STATED = Evidence("add", "raster:bands", 0)
SINCE = Evidence("expected", "PROCESSING_BASELINE 05.10", -1000)
BEFORE = Evidence("expected", "PROCESSING_BASELINE 02.14", 0)
IS_REMOVED = Evidence("removed", "earthsearch:boa_offset_applied")
UNKNOWN = Evidence("unknown", "a.jp2 has the name of a Sentinel-2 image")


def offset(*evidence: Evidence, key: OffsetKey | None = None, stored: np.ndarray = DARK) -> float:
    """Return the decision on a band."""
    return decided(evidence, key or OffsetKey(), "scene, band red", stored, 1.0).offset


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ((), 0),
        ((STATED, SINCE), -1000),
        ((STATED, TAG, SINCE), -1000),
        ((BEFORE,), 0),
        ((NONE_STATED, BEFORE), 0),
        ((IS_REMOVED, SINCE), 0),
        ((IS_REMOVED, STATED, SINCE), 0),
        ((STATED, UNKNOWN), -1000),
    ],
)
def test_metadata_that_agree_decide(evidence: tuple[Evidence, ...], expected: float):
    assert offset(*evidence) == expected
    assert offset(*evidence, key=OffsetKey(fallback=77)) == expected, "a fallback changes nothing that is certain"
    assert offset(*evidence, key=OffsetKey(forced=77)) == 77


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ((STATED, NONE_STATED), ("BOA_ADD_OFFSET states the offset -1000", "raster:bands states the offset 0")),
        ((STATED, BEFORE), ("states the offset -1000", "PROCESSING_BASELINE 02.14 has the offset 0")),
        ((NONE_STATED, SINCE), ("raster:bands states the offset 0", "PROCESSING_BASELINE 05.10 has the offset -1000")),
        ((SINCE,), ("PROCESSING_BASELINE 05.10", "the metadata state no offset")),
        ((UNKNOWN,), ("a.jp2 has the name", "with and without")),
    ],
)
def test_what_is_not_certain_is_refused_unless_a_setting_decides(
    evidence: tuple[Evidence, ...], words: tuple[str, ...]
):
    with pytest.raises(ValuesError) as caught:
        offset(*evidence)
    for word in ("scene, band red", *words, "sensors.optical.offset: -1000", BY_SCENE):
        assert word in str(caught.value)
    found = decided(evidence, OffsetKey(fallback=-1000), "s", DARK, 1.0)
    assert found.offset == -1000 and found.decided_by.startswith("sensors.optical.offset")


def test_an_offset_that_was_removed_without_a_word_is_noticed():
    with pytest.raises(ValuesError, match=r"% of the pixels would be below -200 with it, so it may have been removed"):
        offset(STATED, SINCE, stored=REMOVED)
    assert offset(STATED, SINCE, stored=REMOVED, key=OffsetKey(fallback=0)) == 0


def test_dark_pixels_may_become_slightly_negative():
    assert offset(STATED, SINCE, stored=np.linspace(850, 1500, 100)) == -1000


def test_the_scale_counts_for_what_is_plausible():
    landsat = Evidence("add", "MTL, REFLECTANCE_ADD_BAND", -7272.7)
    assert decided((landsat,), OffsetKey(), "s", np.linspace(7300, 20000, 100), 0.275).offset == -7272.7
