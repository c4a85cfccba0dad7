"""The report page: one HTML file with everything in it, no script and nothing to fetch."""

from collections.abc import Callable
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from clairemap.registration.fit import INLIER_RADIUS_PX
from clairemap.registration.result import SMALLEST_WORTH_WARPING_PX
from clairemap.report.content import ReportContent
from clairemap.report.pictures import CONFIDENCE_COLORS, SHARE_COLORS, gradient_css
from clairemap.report.selection import RULE

TEMPLATE = "page.html.j2"
MISSING = "–"
VIEW_NAMES = {"fused": "both sensors", "optical": "optical only", "sar": "SAR only"}
SPLIT_NAMES = {
    "train": "training",
    "val": "validation",
    "test": "test",
    "buffer": "buffer between splits",
    "predict": "not used in training",
}
VERDICTS = {
    "good": "good",
    "weak": "weak",
    "rejected": "rejected",
    "single_sensor": "one sensor only",
    "as_delivered": "as delivered",
}
SEARCHES = {"near": "", "wide": ", after a search over rotation and scale"}


def render(content: ReportContent) -> str:
    """Return the page as HTML. Equal content gives equal text; all text of the content is escaped."""
    return _template().render(
        page=content,
        rule=RULE,
        view_names=VIEW_NAMES,
        split_names=SPLIT_NAMES,
        verdicts=VERDICTS,
        searches=SEARCHES,
        agreeing_px=INLIER_RADIUS_PX,
        least_moved_px=SMALLEST_WORTH_WARPING_PX,
        confidence_key=gradient_css(CONFIDENCE_COLORS),
        share_key=gradient_css(SHARE_COLORS),
    )


@cache
def _template() -> Template:
    source = resources.files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(_FILTERS)
    return environment.from_string(source)


def percent(share: float | None) -> str:
    """Return a share in 0..1 as percent with one decimal."""
    return MISSING if share is None else f"{100 * share:.1f} %"


def points(share: float | None) -> str:
    """Return a share in 0..1 as percent without the sign, for columns that say the unit above."""
    return MISSING if share is None else f"{100 * share:.1f}"


def hundredths(share: float | None) -> str:
    """Return a share in 0..1 as percent without the sign, with two decimals: for what should be nearly nothing."""
    return MISSING if share is None else f"{100 * share:.2f}"


def count(number: int | None) -> str:
    """Return a whole number in groups of three digits."""
    return MISSING if number is None else f"{number:,}".replace(",", "\u202f")


def hectares(area_ha: float | None) -> str:
    """Return an area in whole hectares, small ones with a decimal."""
    if area_ha is None:
        return MISSING
    return f"{area_ha:.1f}" if area_ha < 100 else count(round(area_ha))


def pixels(value: float | None) -> str:
    """Return a length in pixels with two decimals."""
    return MISSING if value is None else f"{value:.2f}"


def signed(value: float) -> str:
    """Return a displacement with its sign."""
    return f"{value:+.2f}".replace("-", "\u2212")


_FILTERS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "points": points,
    "hundredths": hundredths,
    "count": count,
    "hectares": hectares,
    "pixels": pixels,
    "signed": signed,
}
