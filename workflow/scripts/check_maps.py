"""Check the finished maps of a region: valid files, one grid, only allowed values."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.map_check import MapCheck, RegionMaps, write_map_check
from clairemap.console import run
from clairemap.inference.grid import region_grid
from clairemap.inference.map_validation import CheckedMap, map_facts
from clairemap.inference.mosaic import LARGEST_COUNT
from clairemap.inference.probabilities import open_probabilities
from clairemap.outputs import MapFiles
from clairemap.provenance import stamp
from clairemap.stages import MosaicRegion

log = logging.getLogger("clairemap.check_maps")


def check_maps(
    *,
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene (repeat the option)")],
    maps: Annotated[Path, typer.Option(help="prefix of the map files: results/alps/alps for alps.landcover.tif")],
    check: Annotated[Path, typer.Option(help="check.json to write: size and pixel counts of the maps")],
    settings: Annotated[str, typer.Option(help="settings of this stage as JSON (stages.MosaicRegion)")],
) -> None:
    """Write size and pixel counts of the maps.

    Raises:
        MapCheckError: a map is not valid.
    """
    chosen = MosaicRegion.from_json(settings)
    legend = chosen.legend
    stores = [open_probabilities(path, legend) for path in probabilities]
    grid = region_grid({store.scene: store.geobox for store in stores}, chosen.mosaic)
    percent, counts = frozenset(range(101)), frozenset(range(1, min(len(stores), LARGEST_COUNT) + 1))
    files = MapFiles(maps)
    checked = {
        "landcover": CheckedMap(files.landcover, frozenset(legend.codes.tolist()), "mode"),
        "confidence": CheckedMap(files.confidence, percent, "average"),
        "optical_share": CheckedMap(files.optical_share, percent, "average"),
        "source_count": CheckedMap(files.source_count, counts, "first"),
    }
    found = RegionMaps(**dict(zip(checked, map_facts(list(checked.values()), grid), strict=True)))
    height, width = (int(size) for size in grid.shape)
    write_map_check(check, MapCheck(stamp("check_maps", settings), height, width, found))
    log.info("%s: all maps pass, %d x %d px", check.name, *grid.shape)


if __name__ == "__main__":
    run(check_maps)
