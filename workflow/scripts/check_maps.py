"""Check a region's finished maps: valid files, one grid, only values that they may have."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from clairemap.artefacts.map_check import MapCheck, RegionMaps, write_map_check
from clairemap.console import run
from clairemap.inference.grid import region_grid
from clairemap.inference.map_check import CheckedMap, map_facts
from clairemap.inference.mosaic import LARGEST_COUNT
from clairemap.inference.probabilities import open_probabilities
from clairemap.provenance import stamp
from clairemap.stages import MosaicRegion

log = logging.getLogger("clairemap.check_maps")


def check_maps(
    *,
    probabilities: Annotated[list[Path], typer.Option(help="probabilities.zarr of each scene (repeat the option)")],
    landcover: Annotated[Path, typer.Option(help="map of class codes")],
    confidence: Annotated[Path, typer.Option(help="map of confidence in percent")],
    optical_share: Annotated[Path, typer.Option(help="map of the optical sensor's share in percent")],
    source_count: Annotated[Path, typer.Option(help="map of how many scenes a pixel rests on")],
    check: Annotated[Path, typer.Option(help="what the maps hold, to write (JSON)")],
    settings: Annotated[str, typer.Option(help="JSON of MosaicRegion")],
) -> None:
    """Write what the maps hold, or fail with the first fault that is found in them."""
    chosen = MosaicRegion.from_json(settings)
    legend = chosen.legend.legend()
    stores = [open_probabilities(path, legend) for path in probabilities]
    grid = region_grid({store.scene: store.geobox for store in stores}, chosen.mosaic)
    percent = frozenset(range(101))
    maps = {
        "landcover": CheckedMap(landcover, frozenset(legend.codes.tolist()), "mode"),
        "confidence": CheckedMap(confidence, percent, "average"),
        "optical_share": CheckedMap(optical_share, percent, "average"),
        "source_count": CheckedMap(source_count, frozenset(range(1, min(len(stores), LARGEST_COUNT) + 1)), "first"),
    }
    found = RegionMaps(**dict(zip(maps, map_facts(list(maps.values()), grid), strict=True)))
    height, width = (int(size) for size in grid.shape)
    write_map_check(check, MapCheck(stamp("check_maps", settings), height, width, found))
    log.info("%s: all maps pass, %d x %d px", check.name, *grid.shape)


if __name__ == "__main__":
    run(check_maps)
