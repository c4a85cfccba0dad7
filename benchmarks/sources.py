"""Scenes as they are delivered: products against single files, in time, memory and bytes.

Seconds are CPU seconds. Each part is a module `sources_*.py`.

- `product_vs_stack`: resolve_scene and tile_scene of a made Sentinel-2 product (four bands of 10 m, one of 20 m,
  lossless JPEG 2000 in blocks of 1024 px, offset -1000), divided by tile_scene of the same bands as one GeoTIFF plus
  the difference of decoding each block of the files once. `product_mb`, `stack_mb`: largest memory of tile_scene.
- `http_bytes_ratio`: bytes that resolve_scene and tile_scene fetch from a web server on this machine, divided by the
  sizes of all blocks of full resolution: five bands of a STAC item and a SAR pair on another grid, as Cloud-Optimized
  GeoTIFFs. `http_resolve_ratio`: the part of resolve_scene.
- `plan_vs_files`: dry run of scenes whose optical cells are products, divided by that of scenes of single files.

Prints its figures, and as its last line one JSON object.

    python benchmarks/sources.py [--quick] [--side 5490]
"""

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import rasterio
from sources_http import http_figures
from sources_planning import planning_figures
from sources_product import product_figures

import clairemap

SIDE, QUICK_SIDE, QUICK_HTTP_SIDE = 5490, 512, 2048
SCENES, QUICK_SCENES = 1000, 10
REPEATS = 3


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small product, few scenes")
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of 10 m along a side of the product")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        product, http, planning = (Path(folder, name) for name in ("product", "http", "planning"))
        for part in (product, http, planning):
            part.mkdir()
        figures = {
            **product_figures(product, QUICK_SIDE if chosen.quick else chosen.side, 1 if chosen.quick else REPEATS),
            **http_figures(http, QUICK_HTTP_SIDE if chosen.quick else chosen.side),
            **planning_figures(planning, QUICK_SCENES if chosen.quick else SCENES),
            "python": platform.python_version(),
            "gdal_of_rasterio": rasterio.__gdal_version__,
            "rasterio": rasterio.__version__,
            "clairemap": clairemap.__version__,
            "cpus": os.cpu_count(),
        }
    for name, value in figures.items():
        print(f"{name:<20} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
