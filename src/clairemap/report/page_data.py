"""Data, script and styles inside the page."""

import json
import re
from functools import cache
from importlib import metadata, resources
from typing import Any

LEAFLET = "xstatic.pkg.leaflet"
LEAFLET_DISTRIBUTION = "XStatic-Leaflet"


def to_json(value: Any) -> str:  # noqa: ANN401 - JSON
    """Return JSON that is safe inside a ``script`` element: it contains no ``<``."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


@cache
def library_script() -> str:
    """Return the source of Leaflet, which draws the map."""
    return re.sub(r"//# sourceMappingURL=\S*", "", _leaflet_file("leaflet.js"))


@cache
def library_style() -> str:
    """Return the styles of Leaflet without those that refer to its pictures, which the page does not use."""
    return re.sub(r"[^{}]*\{[^{}]*url\([^{}]*\}", "", _leaflet_file("leaflet.css"))


def library_name() -> str:
    """Return name, version and licence of the library."""
    return f"Leaflet {metadata.version(LEAFLET_DISTRIBUTION).rsplit('.', 1)[0]} (BSD-2-Clause)"


@cache
def page_file(name: str) -> str:
    """Return the text of a file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


SCRIPTS = (
    "page_layers.js",
    "page_keys.js",
    "page_degrees.js",
    "page_map.js",
    "page_tiles.js",
    "page_tables.js",
    "page.js",
)
"""Parts of the page's script. They share one function, which `page.js` starts."""


@cache
def page_script() -> str:
    """Return the page's own script."""
    parts = "\n".join(page_file(name) for name in SCRIPTS)
    return f'"use strict";\n\n(() => {{\n{parts}}})();\n'


def _leaflet_file(name: str) -> str:
    text = resources.files(LEAFLET).joinpath("data", name).read_text(encoding="utf-8")
    if "</script" in text.lower() or "</style" in text.lower():
        raise ValueError(f"{LEAFLET}: {name} cannot be put into a page because it contains a closing tag")
    return text
