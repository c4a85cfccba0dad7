"""Sizes of scenes, for estimates of run time."""

import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning, RasterioError

from clairemap.raster.opening import open_raster
from clairemap.scenes import Scene
from clairemap.sources.cells import cell_of

MOST_READ = 1000
"""Maximum number of files whose size is read; the other scenes count as their mean."""
PARALLEL = 8


def scene_sizes(scenes: Iterable[Scene]) -> Mapping[str, float]:
    """Return the size of each scene, megapixels of its optical file, or of SAR if there is no optical file.

    At most `MOST_READ` files are opened, evenly spaced in the sheet. A scene whose file cannot be read, or whose cell
    is not a single raster, has the mean of the others. If none can be read, the result is empty.
    """
    files = {scene.scene: Path(text) for scene in scenes if (text := scene.optical or scene.sar) is not None}
    names = list(files)[:: max(1, -(-len(files) // MOST_READ))]
    with ThreadPoolExecutor(PARALLEL) as pool:
        read = zip(names, pool.map(_megapixels, (files[name] for name in names)), strict=True)
        known = {name: size for name, size in read if size is not None}
    if not known:
        return {}
    mean = sum(known.values()) / len(known)
    return {name: known.get(name, mean) for name in files}


def _megapixels(path: Path) -> float | None:
    if not path.exists() or cell_of("optical", str(path)).is_resolved:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with open_raster(path) as file:
                return float(file.width * file.height / 1e6)
        except RasterioError:
            return None
