"""The report page: one self-contained HTML file."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined, Template

from clairemap.levels import GOOD_ACCURACY_PCT, GOOD_IOU, POOR_ACCURACY_PCT, POOR_IOU, RELEVANT_CLASS_PCT
from clairemap.metrics.scores import MIN_TRUTH_PX
from clairemap.outputs import FUSED
from clairemap.registration.fit import INLIER_RADIUS_PX
from clairemap.registration.result import MIN_WARP_PX
from clairemap.report.content import ReportContent
from clairemap.report.estimated_areas import accuracy_interval, interval_text
from clairemap.report.left_out import left_out, not_compared
from clairemap.report.numbers import count, hectares, hundredths, percent, pixels, points, signed
from clairemap.report.page_data import library_script, library_style, page_file, page_script, to_json
from clairemap.report.pictures import CONFIDENCE_COLORS, SHARE_COLORS, gradient_css
from clairemap.report.selection import RULE
from clairemap.report.style import COUNT_KEY
from clairemap.report.tile_line import tile_line

WIDEST_ON_PAPER = 12
"""Maximum number of classes whose confusion matrix in pixels fits onto paper."""

MAX_CAUTIONS = 6
"""Maximum number of warnings at the top of the page; metrics.json has all."""

AGREEMENT = (
    f"Agreement is good if the overall accuracy is at least {GOOD_ACCURACY_PCT} % and the IoU of every relevant class "
    f"at least {GOOD_IOU:.2f}; poor if the accuracy is below {POOR_ACCURACY_PCT} % or an IoU below {POOR_IOU:.2f}; "
    f"otherwise fair. Relevant classes have at least {MIN_TRUTH_PX} labelled pixels and {RELEVANT_CLASS_PCT:.0f} % of "
    f"the tile's labelled pixels. Tiles and classes with fewer than {MIN_TRUTH_PX} labelled pixels get no accuracy."
)
TEMPLATE = "page.html.j2"
PARTS = ("estimates.html.j2", "map_view.html.j2", "tile_list.html.j2", "tile_view.html.j2")
"""Templates that `TEMPLATE` includes."""

VIEW_NAMES = {FUSED: "both sensors", "optical": "optical only", "sar": "SAR only"}
SPLIT_NAMES = {
    "train": "training",
    "val": "validation",
    "test": "test",
    "buffer": "buffer between splits",
    "predict": "not used in training",
}
VERDICT_TEXTS = {
    "good": "good",
    "weak": "weak",
    "rejected": "rejected",
    "single_sensor": "one sensor only",
    "as_delivered": "as delivered",
}
RADIOMETRY_TAGS = {"match": "good", "mild": "weak", "mismatch": "rejected", "not compared": "plain"}
SEARCHES = {"near": "", "wide": ", after a search over rotation and scale"}


def render(content: ReportContent) -> str:
    """Return the page as HTML. Equal content gives equal text; text of the content is escaped."""
    return _template().render(
        page=content,
        left_out=left_out(content),
        not_compared=not_compared(content),
        rule=RULE,
        agreement=AGREEMENT,
        most_cautions=MAX_CAUTIONS,
        widest_on_paper=WIDEST_ON_PAPER,
        view_names=VIEW_NAMES,
        split_names=SPLIT_NAMES,
        verdicts=VERDICT_TEXTS,
        radiometry_tags=RADIOMETRY_TAGS,
        searches=SEARCHES,
        inlier_radius_px=INLIER_RADIUS_PX,
        min_moved_px=MIN_WARP_PX,
        confidence_key=gradient_css(CONFIDENCE_COLORS),
        share_key=gradient_css(SHARE_COLORS),
        count_key=COUNT_KEY,
        library_style=library_style(),
        library_script=library_script(),
        page_style=page_file("page.css"),
        page_script=page_script(),
    )


@cache
def _template() -> Template:
    loader = DictLoader({name: page_file(name) for name in (TEMPLATE, *PARTS)})
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(_FILTERS)
    return environment.get_template(TEMPLATE)


_FILTERS: dict[str, Callable[..., Any]] = {
    "percent": percent,
    "points": points,
    "hundredths": hundredths,
    "count": count,
    "hectares": hectares,
    "pixels": pixels,
    "signed": signed,
    "tile_line": tile_line,
    "interval_text": interval_text,
    "accuracy_interval": accuracy_interval,
    "to_json": to_json,
    "sources": lambda pictures: [picture.source if picture else None for picture in pictures.all],
}
