"""Draw docs/demo.png from the results of the demo: both sensors, true classes, map, confidence, optical share.

make demo && python docs/draw_readme_pictures.py
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from PIL import Image

from clairemap.grid.window import Window
from clairemap.raster.store import open_store
from clairemap.settings import Settings

PROJECT = Path(__file__).parents[1]
SCENE = "east_north"
COLORS = 128


def main() -> None:
    """Draw the picture and reduce its file size."""
    folder = PROJECT / "work" / "scenes" / SCENE
    pair, result = open_store(folder / "pair.zarr"), open_store(folder / "fused" / "probabilities.zarr")
    whole = Window.whole(pair.shape)
    palette = np.array([c.rgb for c in Settings().legend.classes] + [(255, 255, 255)], np.uint8)
    probability = result.read("probability", whole)
    best = np.where(probability.max(0) > 0, probability.argmax(0), len(palette) - 1)
    label = np.minimum(pair.read("label", whole), len(palette) - 1)
    share = result.read("optical_share", whole).astype(float)
    share[share == 255] = np.nan
    panels = {
        "optical": stretched(pair.read("optical", whole)[:3], 0, 2200),
        "SAR (VV, VH, VV)": stretched(pair.read("sar", whole)[[0, 1, 0]], *np.array([[-22, -28, -22], [0, -6, 0]])),
        "true classes": palette[label],
        "map": palette[best],
        "confidence (yellow: high)": np.where(np.isnan(share), np.nan, probability.max(0) / 255),
        "optical share (violet: SAR, orange: optical)": share / 100,
    }
    figure = Figure(figsize=(10.8, 7.5), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(2, 3).flat, panels.items(), strict=True):
        axes.imshow(values, cmap="PuOr_r" if title.startswith("optical share") else "viridis", vmin=0, vmax=1)
        axes.set_title(title, fontsize=11)
        axes.set_axis_off()
    legend = Settings().legend
    handles = [Patch(color=c.color, label=c.name) for c in legend.classes]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)
    target = PROJECT / "docs" / "demo.png"
    figure.savefig(target, dpi=100)
    Image.open(target).convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(target, optimize=True)


def stretched(
    bands: NDArray[np.generic], low: float | NDArray[np.int64], high: float | NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return (band, y, x) as an image (y, x, band) in 0..1; low and high are for all bands or one per band."""
    scaled = (np.moveaxis(np.nan_to_num(bands.astype(float)), 0, -1) - low) / (np.asarray(high) - low)
    return np.asarray(scaled.clip(0, 1) ** 0.8)


if __name__ == "__main__":
    main()
