"""Tiny scenes as STAC items in the shape of the two big providers, with their Cloud-Optimized GeoTIFFs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from tests.made_products import CRS, ORIGIN, SIDE_M, plain_numbers, scl_numbers

GEOMETRY = {"type": "Polygon", "coordinates": [[[15, 48.7], [15.1, 48.7], [15.1, 48.8], [15, 48.8], [15, 48.7]]]}
EARTH_SEARCH = {"B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B11": "swir16"}
METRES = {"B02": 10, "B03": 10, "B04": 10, "B08": 10, "B11": 20, "SCL": 20}
PRODUCT = "S2A_MSIL2A_20260512T100031_N0511_R122_T33UWQ_20260512T130000"


def write_cog(
    path: Path, values: NDArray[np.generic], metres: float, nodata: float | None = 0, crs: str | None = CRS,
    block: int = 128,
) -> Path:  # fmt: skip
    """Write values (y, x) or (band, y, x) as a Cloud-Optimized GeoTIFF."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values if values.ndim == 3 else values[np.newaxis]
    profile: dict[str, Any] = {"driver": "GTiff", "count": len(bands), "dtype": bands.dtype, "nodata": nodata}
    place = {"crs": crs, "transform": Affine(metres, 0, ORIGIN[0], 0, -metres, ORIGIN[1])} if crs else {}
    plain = path.with_suffix(".plain")
    with rasterio.open(plain, "w", height=bands.shape[1], width=bands.shape[2], **profile, **place) as file:
        file.write(bands)
    rasterio.shutil.copy(plain, path, driver="COG", COMPRESS="DEFLATE", BLOCKSIZE=block)
    plain.unlink()
    return path


def write_images(folder: Path, numbers: Any = plain_numbers, side_m: int = SIDE_M) -> None:
    """Write the images of a Sentinel-2 product as B02.tif and so on, and SCL.tif."""
    for key, metres in METRES.items():
        values = scl_numbers(key, side_m // metres) if key == "SCL" else numbers(key, side_m // metres)
        write_cog(folder / f"{key}.tif", values.astype(np.uint8 if key == "SCL" else np.uint16), metres)


def earth_search(
    href: str = ".", offset: float | None = -0.1, is_removed: bool | None = False, baseline: str = "05.11"
) -> dict[str, Any]:
    """Return an item of earth-search v1, collection sentinel-2-l2a; `href` is the folder of the images."""
    assets: dict[str, Any] = {"thumbnail": {"href": f"{href}/preview.jpg", "roles": ["thumbnail"]}}
    for key, name in EARTH_SEARCH.items():
        raster = {"nodata": 0, "data_type": "uint16", "spatial_resolution": METRES[key], "scale": 0.0001}
        assets[name] = {
            "href": f"{href}/{key}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": name, "common_name": name}],
            "raster:bands": [raster if offset is None else {**raster, "offset": offset}],
            "roles": ["data", "reflectance"],
        }
        assets[f"{name}-jp2"] = {
            "href": f"s3://sentinel-s2-l2a/{key}.jp2", "type": "image/jp2", "roles": ["data", "reflectance"],
            "eo:bands": [{"name": name, "common_name": name}],
        }  # fmt: skip
    assets["scl"] = {"href": f"{href}/SCL.tif", "roles": ["data", "reflectance"]}
    assets["visual"] = {
        "href": f"{href}/TCI.tif", "roles": ["visual"],
        "eo:bands": [{"name": name, "common_name": name} for name in ("red", "green", "blue")],
    }  # fmt: skip
    properties = {
        "datetime": "2026-05-12T10:00:31.024000Z", "platform": "sentinel-2a", "constellation": "sentinel-2",
        "eo:cloud_cover": 12.5, "proj:epsg": 32633, "s2:processing_baseline": baseline,
        "earthsearch:boa_offset_applied": is_removed,
    }  # fmt: skip
    return _item("S2A_33UWQ_20260512_0_L2A", "sentinel-2-l2a", properties, assets)


def planetary_computer(href: str = ".", baseline: str = "05.11", keys: Mapping[str, int] = METRES) -> dict[str, Any]:
    """Return an item of the Planetary Computer, collection sentinel-2-l2a (without scale and offset)."""
    common = {**EARTH_SEARCH, "B05": "rededge", "B06": "rededge"}
    assets: dict[str, Any] = {
        key: {
            "href": f"{href}/{key}.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "proj:shape": [SIDE_M // metres] * 2,
            "roles": ["data"],
            **({"eo:bands": [{"name": key, "common_name": common[key]}]} if key in common else {}),
        }
        for key, metres in keys.items()
    }
    assets["visual"] = {
        "href": f"{href}/TCI.tif", "roles": ["data"],
        "eo:bands": [{"name": key, "common_name": common[key]} for key in ("B04", "B03", "B02")],
    }  # fmt: skip
    assets["product-metadata"] = {
        "href": f"{href}/MTD_MSIL2A.xml", "type": "application/xml", "roles": ["metadata"]
    }  # fmt: skip
    properties = {
        "datetime": "2026-05-12T10:00:31.024000Z", "platform": "Sentinel-2A", "constellation": "Sentinel 2",
        "eo:cloud_cover": 12.5, "proj:epsg": 32633, "s2:processing_baseline": baseline,
    }  # fmt: skip
    return _item(PRODUCT, "sentinel-2-l2a", properties, assets)


def radar(href: str = ".") -> dict[str, Any]:
    """Return an item of the Planetary Computer's sentinel-1-rtc in the form of STAC 1.1."""
    assets = {
        key: {
            "href": f"{href}/{key}.tif", "roles": ["data"], "nodata": -32768,
            "bands": [{"name": key.upper(), "description": "gamma nought"}],
        }
        for key in ("vv", "vh")
    }  # fmt: skip
    properties = {"datetime": "2026-05-11T05:10:00Z", "platform": "SENTINEL-1A", "proj:code": CRS}
    return {**_item("S1A_IW_GRDH_1SDV_20260511_rtc", "sentinel-1-rtc", properties, assets), "stac_version": "1.1.0"}


def metadata(offset: int = -1000, baseline: str = "05.11") -> str:
    """Return the part of a product's MTD_MSIL2A.xml with its offsets."""
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{number}">{offset}</BOA_ADD_OFFSET>' for number in range(13))
    return (
        f'<n1:Level-2A_User_Product xmlns:n1="u"><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>{offsets}'
        "</n1:Level-2A_User_Product>"
    )


def write_item(path: Path, item: dict[str, Any]) -> Path:
    """Write an item as a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(item), encoding="utf-8")
    return path


def _item(name: str, collection: str, properties: dict[str, Any], assets: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": collection,
        "geometry": GEOMETRY,
        "bbox": [15, 48.7, 15.1, 48.8],
        "properties": properties,
        "assets": assets,
        "links": [{"rel": "license", "href": "https://sentinels.copernicus.eu/documents/legal"}],
    }
