"""The words that the checker accepts, by what they claim."""

import functools

from clairemap.explain.slots import FigureKind


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


NUMBER_WORDS = _word_set(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds
    thousand thousands million millions billion half halves halved third thirds fourth fourths quarter
    quarters fifth fifths tenth tenths hundredth twice thrice double doubled triple tripled dozen dozens
    couple once second tenfold twofold threefold
    """
)
UNIT_WORDS = _word_set(
    """
    percent percentage percentages cent permille hectare hectares ha km kms kilometre kilometres kilometer
    kilometers metre metres meter meters m m² km² sqkm acre acres mile miles foot feet pixel pixels px db
    decibel decibels degree degrees square points ppm % ‰ ° €
    """
)
NEGATIONS = _word_set(
    """
    not no none never neither nor nothing nowhere without hardly barely scarcely rarely seldom cannot lack
    lacks lacking lacked free absent except fails fail failing far unlikely nobody isn't doesn't don't aren't
    wasn't can't won't isn’t doesn’t don’t aren’t wasn’t can’t won’t
    """
)
CAUSE_WORDS = _word_set(
    """
    because cause caused causes causing due owing thanks results resulted resulting therefore hence thus
    consequently consequence attributable attributed driven driver drivers triggered induced led lead leads explain
    explains explained reason reasons reflect reflects suggest suggests imply implies indicate indicates since after
    before during owes stems arises probably likely presumably perhaps possibly maybe apparently recent recently
    season seasonal history
    """
)
KNOWN_WORDS = _word_set(
    """
    a an the this that these those it its they their them which whose where who what there here each every other
    some several many few most more less much little both such same own any
    in on at of for from to with by between among across within over under around beside into as along against up
    and or but while whereas although though if so also often then however still yet together
    is are was were be been being has have had having does do can could may might must should will would

    cover coverage show shown map mapped mapping classify classified classification classifier occupy occupies
    occupied account accounting make made making hold held contain include including consist belong comprise dominate
    dominating dominant dominance predominate predominant prevail follow followed remain remaining remainder rest rely
    relies relied relying base use using contribute contributing provide providing carry carries agree agreement
    compare compared comparing match label labelled labeled confuse confusion mistake mistaken reach achieve achieving
    score give given read note see seen treat take taken keep check consider hide hidden hiding affect obscure shift
    displace displacing displacement reject exist lie lies lying appear occur share sharing stand limit represent
    present fill span extend extent interpret describe

    tile map area part portion proportion class classes image imagery sensor radar sar optical data confidence
    confident certainty certain accuracy accurate error figure level mean average truth reference result care careful
    caution cautious edge edges boundary boundaries registration registered register align aligned alignment
    misaligned coregistration co weight influence role information majority mixture mosaic iou f1 intersection union
    cloud cloudy user category categories

    high highest medium moderate intermediate low lowest good fair poor weak strong solid mixed uniform
    homogeneous diverse varied main largest biggest leading principal smallest small large least best
    worst minor marginal slight very quite rather usable valid available reliable unreliable uncertain imprecise
    precise whole overall only alone solely exclusively single mostly mainly largely chiefly primarily predominantly
    equal equally alike evenly balanced likewise respectively correct right wrong partly partial heavy some scattered
    extensive widespread clear plain please about aware position vary varies reliably detect identify identified
    recognise recognize assign quality detail analysis assessment estimate range difference different primary generally
    relatively despite important interpretation reading landscape land scene notable noticeable visible
    unknown unchecked unmasked mask missing miss misses whether train training trained learn learnt learned network
    model unseen left out leave leaves new too judge
    """
)
"""Words that a text may use in addition to class names: words for shares, confidence, sensors, clouds, registration and
labels, and function words. Causes, events, places, dates and other kinds of land cover need other words, so a text that
invents them is rejected."""

ENDINGS = ("s", "es", "d", "ed", "ly")

KEYWORDS: tuple[tuple[str, frozenset[FigureKind]], ...] = (
    ("cover", frozenset({"area"})),
    ("area", frozenset({"area"})),
    ("occup", frozenset({"area"})),
    ("extent", frozenset({"area"})),
    ("extend", frozenset({"area"})),
    ("share", frozenset({"area"})),
    ("make", frozenset({"area"})),
    ("making", frozenset({"area"})),
    ("account", frozenset({"area"})),
    ("fill", frozenset({"area"})),
    ("span", frozenset({"area"})),
    ("dominat", frozenset({"area"})),
    ("confiden", frozenset({"confidence"})),
    ("certain", frozenset({"confidence"})),
    ("iou", frozenset({"iou"})),
    ("intersection", frozenset({"iou"})),
    ("f1", frozenset({"f1"})),
    ("weight", frozenset({"optical share"})),
    ("rests", frozenset({"optical share"})),
    ("relies", frozenset({"optical share"})),
    ("contribut", frozenset({"optical share"})),
    ("cloud", frozenset({"clouds"})),
    ("unknown", frozenset({"clouds unknown"})),
    ("unchecked", frozenset({"clouds unknown"})),
    ("unmasked", frozenset({"clouds unknown"})),
    ("usable", frozenset({"mapped"})),
    ("data", frozenset({"mapped"})),
    ("valid", frozenset({"mapped"})),
    ("mapped", frozenset({"mapped", "area", "confusion"})),
    ("confus", frozenset({"confusion"})),
    ("mistak", frozenset({"confusion"})),
    ("label", frozenset({"accuracy", "confusion"})),
    ("right", frozenset({"accuracy"})),
    ("correct", frozenset({"accuracy"})),
    ("accura", frozenset({"accuracy"})),
    ("agree", frozenset({"accuracy"})),
)
"""Stems of words that announce a kind of figure."""

Axis = str
GRADED: dict[Axis, tuple[str, ...]] = {
    "confidence": ("confiden", "certain"),
    "accuracy": ("agree", "accura", "iou", "f1", "correct", "right"),
    "registration": ("registra", "register", "align", "coregist"),
    "clouds": ("cloud",),
}
"""Stems of what a level can describe."""

GRADES: dict[Axis, dict[str, frozenset[str]]] = {
    "confidence": {
        "high": _word_set("high strong strongly good great excellent highly very reliable solid"),
        "medium": _word_set("medium moderate moderately fair intermediate"),
        "low": _word_set("low weak poor limited modest doubtful little"),
    },
    "accuracy": {
        "good": _word_set("high strong good great excellent highly very reliable solid"),
        "fair": _word_set("medium moderate moderately fair intermediate"),
        "poor": _word_set("low weak poor limited bad modest doubtful little"),
    },
    "registration": {
        "good": _word_set("high strong good precise excellent reliable accurate exact well perfect"),
        "weak": _word_set("low weak poor limited uncertain imprecise doubtful bad moderate"),
        "rejected": _word_set("rejected unusable failed unreliable low poor bad"),
    },
    "clouds": {
        "none": _word_set("cloudless clear"),
        "some": _word_set("some few little light partly slightly small scattered thin moderate"),
        "heavy": _word_set("heavy heavily much large most mostly thick dense strongly extensive widespread"),
    },
}
"""The words that claim each level."""

NOT_KNOWN = ("unknown", "unchecked", "unmasked")
TRAINING_STEMS = ("train", "learn", "unseen")
MISSING_WORDS = _word_set("miss misses missed left leave leaves")
WHOLE_TILE = ("label", "overall", "tile", "mean", "average")
"""Stems of words that refer to the whole tile."""

QUALITY = _word_set("best worst poorest")
MAXIMUM = _word_set("highest best strongest greatest most-certain")
MINIMUM = _word_set("lowest weakest worst poorest least")
LARGEST = _word_set("largest biggest main leading principal chief widest")
SMALLEST = _word_set("smallest tiniest")
MINOR = _word_set("minor marginal negligible insignificant rare scarce small tiny")
DOMINANCE_STEMS = ("domina", "predomin", "prevail", "majority")
MOSTLY = _word_set("mostly mainly largely chiefly primarily predominantly")
EXCLUSIVE = _word_set("alone only solely exclusively purely entirely single")
BALANCED = _word_set("equally alike balanced evenly equal")
MIXED_STEMS = ("mixed", "mixture", "diverse", "heterogen", "varied", "mosaic")
UNIFORM_STEMS = ("uniform", "homogen")
OPTICAL = frozenset({"optical", "multispectral"})
SAR = frozenset({"sar", "radar"})
BREAKS = _word_set("and while but whereas although though yet")


def is_known(word: str) -> bool:
    """Return whether a word is known, also with one of the endings."""
    return word in KNOWN_WORDS or any(word.removesuffix(ending) in KNOWN_WORDS for ending in ENDINGS)


def has_stem(word: str, stems: tuple[str, ...]) -> bool:
    """Return whether a word begins with one of the stems."""
    return word.startswith(stems)


@functools.cache
def kinds_of(word: str) -> frozenset[FigureKind]:
    """Return the kinds of figures that a word announces; empty if none."""
    return next((kinds for stem, kinds in KEYWORDS if word.startswith(stem)), frozenset())
