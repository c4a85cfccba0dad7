"""STAC documents as the big providers shape them, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]

EARTH_SEARCH = "https://earth-search.aws.element84.com/v1"
PLANETARY_COMPUTER = "https://planetarycomputer.microsoft.com/api/stac/v1"


def polygon(box: Box) -> dict[str, Any]:
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def item(identifier: str, collection: str, box: Box, when: str, assets: dict[str, Any], **properties: Any) -> dict:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": identifier,
        "collection": collection,
        "geometry": polygon(box),
        "bbox": list(box),
        "properties": {"datetime": when, **properties},
        "assets": assets,
        "links": [],
    }


def sentinel2_c1(identifier: str, box: Box, when: str, cloud: float = 5.0) -> dict:
    """Return an item like those of earth-search's collection sentinel-2-c1-l2a."""
    base = f"https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/sentinel-2-c1-l2a/{identifier}"
    assets = {
        "red": {
            "href": f"{base}/B04.tif",
            "type": "image/tiff; application=geotiff; profile=cloud-optimized",
            "eo:bands": [{"name": "B04", "common_name": "red"}],
            "raster:bands": [{"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}],
        },
        "scl": {"href": f"{base}/SCL.tif"},
    }
    return item(
        identifier,
        "sentinel-2-c1-l2a",
        box,
        when,
        assets,
        platform="sentinel-2b",
        constellation="sentinel-2",
        instruments=["msi"],
        **{"eo:cloud_cover": cloud, "s2:processing_baseline": "05.10"},
    )


def sentinel1_grd(identifier: str, box: Box, when: str) -> dict:
    """Return an item like those of earth-search's collection sentinel-1-grd."""
    base = f"s3://sentinel-s1-l1c/GRD/2024/6/3/IW/DV/{identifier}/measurement"
    start = {"start_datetime": when, "end_datetime": when.replace("Z", "") + "+00:00"}
    return item(
        identifier,
        "sentinel-1-grd",
        box,
        when,
        {"vv": {"href": f"{base}/iw-vv.tiff"}, "vh": {"href": f"{base}/iw-vh.tiff"}},
        platform="sentinel-1a",
        constellation="sentinel-1",
        **{"sar:instrument_mode": "IW", "sar:polarizations": ["VV", "VH"], **start},
    )


def sentinel2_pc(identifier: str, box: Box, when: str, cloud: float = 5.0) -> dict:
    """Return an item like those of the Planetary Computer's collection sentinel-2-l2a."""
    href = f"https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/33/T/UM/2024/{identifier}.SAFE/B04_10m.tif"
    return item(
        identifier,
        "sentinel-2-l2a",
        box,
        when,
        {"B04": {"href": href, "eo:bands": [{"name": "B04", "common_name": "red"}]}},
        platform="Sentinel-2A",
        constellation="Sentinel 2",
        instruments=["msi"],
        **{"eo:cloud_cover": cloud, "s2:mgrs_tile": "33TUM"},
    )


def sentinel1_rtc(identifier: str, box: Box, when: str) -> dict:
    """Return an item like those of the Planetary Computer's collection sentinel-1-rtc: no instruments."""
    href = (
        f"https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc/GRD/2024/6/3/{identifier}/iw-vv.rtc.tiff"
    )
    return item(
        identifier,
        "sentinel-1-rtc",
        box,
        when,
        {"vv": {"href": href}},
        platform="SENTINEL-1A",
        constellation="Sentinel-1",
        **{"sar:instrument_mode": "IW", "start_datetime": when, "end_datetime": when},
    )


def with_self(document: dict, api: str) -> dict:
    """Return an item with the links of an API."""
    own = f"{api}/collections/{document['collection']}/items/{document['id']}"
    links = [
        {"rel": "self", "type": "application/geo+json", "href": own},
        {"rel": "root", "href": api},
        {"rel": "collection", "href": f"{api}/collections/{document['collection']}"},
    ]
    return {**document, "links": links}


def write_json(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def item_collection(path: Path, items: list[dict]) -> Path:
    return write_json(path, {"type": "FeatureCollection", "features": items})


def static_catalogue(folder: Path, items: list[dict]) -> Path:
    """Write a catalogue with a collection per collection of the items and an item per folder, relative links."""
    collections: dict[str, list[str]] = {}
    for document in items:
        below = collections.setdefault(document["collection"], [])
        below.append(document["id"])
        links = [{"rel": "root", "href": "../../catalog.json"}, {"rel": "collection", "href": "../collection.json"}]
        place = folder / document["collection"] / document["id"] / f"{document['id']}.json"
        write_json(place, {**document, "links": links})
    for name, identifiers in collections.items():
        links = [{"rel": "item", "href": f"./{each}/{each}.json"} for each in identifiers]
        links += [{"rel": "root", "href": "../catalog.json"}, {"rel": "parent", "href": "../catalog.json"}]
        collection = {"type": "Collection", "stac_version": "1.0.0", "id": name, "license": "other", "links": links}
        write_json(folder / name / "collection.json", {**collection, "description": name, "extent": {}})
    children = [{"rel": "child", "href": f"./{name}/collection.json"} for name in collections]
    catalogue = {"type": "Catalog", "stac_version": "1.0.0", "id": "made", "description": "made", "links": children}
    return write_json(folder / "catalog.json", catalogue)
