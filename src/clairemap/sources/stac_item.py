"""Reader of STAC items (1.0 and 1.1): a `.json` file, or the address of an item. Bands by asset key or common name.

Assets of Sentinel-2 items are the bands as delivered, or with the offset removed by the provider. Evidence, in the
words of `offsets`:

| key of the item | evidence |
|---|---|
| `earthsearch:boa_offset_applied`, `sentinel:boa_offset_applied`: true | removed |
| `offset` and `scale` of `raster:bands`, or `raster:offset` and `raster:scale` of `bands` or asset | add |
| `s2:processing_baseline` | expected |
| the product's metadata, asset `product-metadata`, if an offset is expected and the item states none | add |

STAC: https://github.com/radiantearth/stac-spec, extensions eo, raster, projection.
"""

import datetime
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from clairemap.artefacts.scene_sources import SourceFacts
from clairemap.cell_text import is_gdal_name
from clairemap.errors import BandCountError, MissingFileError, UnreadableFileError
from clairemap.paths import path_exists
from clairemap.raster.remote_names import SIGNATURE, address, is_planetary_computer, is_remote
from clairemap.sources.cells import Cell
from clairemap.sources.documents import content, parsed
from clairemap.sources.product import BandFile, Evidence, MaskFile, Product, plain_name
from clairemap.sources.sentinel2 import NODATA, Radiometry, expected_by
from clairemap.sources.sentinel2_bands import BANDS, REFLECTANCE, UNIT, names_of
from clairemap.sources.wanted import Wanted

REMOVED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
BASELINE = ("s2:processing_baseline", "sentinel:processing_baseline", "processing:version")
SENTINEL2 = re.compile(r"sentinel[-_ ]?2|s2[a-d]?(?![a-z0-9])", re.IGNORECASE)
"""Names of platforms, constellations and collections of Sentinel-2."""

PRODUCT_METADATA = ("product-metadata", "product_metadata")
PICTURES = ("thumbnail", "overview", "visual", "metadata")
"""Roles of assets that are not bands; also keys."""

MASKS: Mapping[str, Any] = {"scl": "scl", "qa_pixel": "qa_pixel"}
"""Coding of a cloud mask by the lower-case key of its asset."""


@dataclass(frozen=True)
class _Item:
    """An item: where it is, for messages and relative addresses, and its content."""

    place: str
    content: Mapping[str, Any]

    @property
    def properties(self) -> Mapping[str, Any]:
        """Properties of the item."""
        return self.content.get("properties") or {}

    @property
    def assets(self) -> Mapping[str, Mapping[str, Any]]:
        """Assets that may be rasters, by key; JPEG 2000 copies of GeoTIFFs last."""
        found = {
            key: asset
            for key, asset in self.content["assets"].items()
            if isinstance(asset, dict) and asset.get("href") and not _is_picture(key, asset)
        }
        return dict(sorted(found.items(), key=lambda item: "jp2" in str(item[1].get("type", ""))))

    @property
    def is_sentinel2(self) -> bool:
        """Whether the item is a Sentinel-2 product, by its names or by properties of Sentinel-2's extension."""
        named = (self.properties.get("constellation"), self.properties.get("platform"), self.content.get("collection"))
        return any(key.startswith("s2:") for key in self.properties) or any(
            SENTINEL2.match(str(name)) for name in named
        )

    @property
    def is_landsat(self) -> bool:
        """Whether the item is a Landsat product."""
        named = (self.properties.get("constellation"), self.properties.get("platform"), self.content.get("collection"))
        return any(str(name).lower().startswith("landsat") for name in named)

    def reference(self, key: str, href: str) -> str:
        """Return the reference of an asset: a path relative to the item's folder, or an address without signature."""
        if href.startswith("file://"):
            return href.removeprefix("file://")
        if is_gdal_name(href):
            if is_planetary_computer(href):
                return address(href)
            if SIGNATURE.search(href):
                raise UnreadableFileError(
                    f"{self.place}: asset {key} has a signed address ({address(href)}?...), which expires; save the "
                    "item without signing it"
                )
            return href
        return _joined(self.place, href) if is_remote(self.place) else posixpath.normpath(href)

    @property
    def product_metadata(self) -> str | None:
        """Reference of the product's own metadata; None if the item has no such asset."""
        keys = (key for key in PRODUCT_METADATA if self.content["assets"].get(key, {}).get("href"))
        return next((self.reference(key, self.content["assets"][key]["href"]) for key in keys), None)


def knows(cell: Cell) -> bool:
    """Whether the cell names a `.json` file or an item on the web."""
    return cell.kind == "item"


def files(cell: Cell, wanted: Wanted) -> tuple[str, ...]:
    """Return a local item, which is read, and the local files of its wanted bands and of its product metadata."""
    own = Path(cell.text).name
    try:
        item = _item(cell)
        product = _product(item)
    except (MissingFileError, UnreadableFileError):  # the job reports it
        return (own,)
    wanted_bands = {plain_name(name) for name in wanted.bands}
    bands = [band.file for band in product.bands if wanted_bands & {plain_name(name) for name in band.names}]
    masks = [mask.file for mask in product.masks.values() if wanted.role == "cloud"]
    named = [own, *bands, *masks, *filter(None, [item.product_metadata])]
    return tuple(dict.fromkeys(name for name in named if not is_gdal_name(name)))


def read(cell: Cell, wanted: Wanted) -> Product:
    """Return the bands and masks of an item.

    Raises:
        MissingFileError: there is no such file.
        UnreadableFileError: it is not a STAC item, or has no geometry or assets.
        BandCountError: several assets may be a wanted band.
        RemoteFileError: item or product metadata on a server cannot be read.
    """
    item = _item(cell)
    product = _product(item)
    _check_unambiguous(item, product, wanted)
    return replace(product, bands=_with_product_metadata(item, product.bands, wanted))


def _item(cell: Cell) -> _Item:
    place = address(cell.text)
    if not is_remote(cell.text) and not path_exists(Path(cell.text)):
        raise MissingFileError(f"{place}: no such file; correct the path in the sample sheet or provide the file")
    try:
        raw = content(cell, cell.text if is_remote(cell.text) else Path(cell.text).name)
    except OSError as error:
        raise UnreadableFileError(f"{place}: cannot be read ({error.strerror}); correct the path") from None
    try:
        return _checked(place, json.loads(raw))
    except ValueError as error:
        what = "is a web page" if raw.lstrip().startswith(b"<") else f"is not JSON ({error})"
        raise UnreadableFileError(
            f"{place}: {what}, not a STAC item; correct the address, or download it again"
        ) from None


def _checked(place: str, found: Any) -> _Item:  # noqa: ANN401 - JSON
    kind = found.get("type") if isinstance(found, dict) else None
    if kind in ("FeatureCollection", "Collection", "Catalog"):
        raise UnreadableFileError(
            f"{place}: is a STAC {'ItemCollection' if kind == 'FeatureCollection' else kind}, not an item; name one of "
            "its items"
        )
    if kind != "Feature" or not isinstance(found.get("assets"), dict) or "stac_version" not in found:
        raise UnreadableFileError(
            f"{place}: is not a STAC item (type is {kind!r}; an item has type 'Feature', stac_version and assets); "
            "name the item, or a raster"
        )
    if not found.get("geometry"):
        raise UnreadableFileError(f"{place}: the item has no geometry, so its place is unknown; name its files instead")
    return _Item(place, found)


def _is_picture(key: str, asset: Mapping[str, Any]) -> bool:
    return bool(set(PICTURES) & {key, *(asset.get("roles") or ())})


def _product(item: _Item) -> Product:
    """Return what the item states; opens nothing.

    Raises:
        UnreadableFileError: a value has another type than STAC allows.
    """
    try:
        bands = tuple(band for key, asset in item.assets.items() for band in _bands(item, key, asset))
        masks = {
            coding: MaskFile(item.reference(key, asset["href"]), coding)
            for key, asset in item.assets.items()
            if (coding := MASKS.get(key.lower())) is not None
        }
        return Product("stac_item", bands, masks, _facts(item))
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UnreadableFileError(
            f"{item.place}: a value of the item is not as STAC defines it ({type(error).__name__}: {error}); correct it"
        ) from None


def _bands(item: _Item, key: str, asset: Mapping[str, Any]) -> Iterator[BandFile]:
    described = asset.get("bands") or asset.get("eo:bands") or [{}]
    rasters = asset.get("raster:bands") or []
    for index, band in enumerate(described):
        raster = {**asset, **band, **(rasters[index] if index < len(rasters) else {})}
        # The key of an asset of several bands is no name of one of them.
        own = (key,) if len(described) == 1 else ()
        names = (*own, *(str(band[one]) for one in ("name", "eo:common_name", "common_name") if band.get(one)))
        yield _band(item, key, index + 1, tuple(dict.fromkeys(names)), raster)


def _band(item: _Item, key: str, number: int, names: tuple[str, ...], raster: Mapping[str, Any]) -> BandFile:
    scale, offset = (_number(raster, name) for name in ("scale", "offset"))
    nodata, file = _number(raster, "nodata"), item.reference(key, raster["href"])
    reflectance = _sentinel2_key(names) if item.is_sentinel2 else None
    if scale is None and reflectance is not None and offset is not None and abs(offset) < 1:
        scale = 1 / REFLECTANCE
    stated = () if offset is None else (_stated(item, key, offset, scale or 1.0),)
    crs = _crs(raster) or _crs(item.properties)
    if reflectance is not None:
        return BandFile(
            file, tuple(dict.fromkeys((*names[:1], *names_of(reflectance)))), number,
            evidence=(*_removed(item), *stated, *_expected(item)), scale=REFLECTANCE * (scale or 1 / REFLECTANCE),
            unit=UNIT, nodata=NODATA if nodata is None else nodata, nodata_in_any=True, crs=crs,
        )  # fmt: skip
    if item.is_landsat and scale is not None and offset:
        return BandFile(
            file, names, number, evidence=stated, scale=REFLECTANCE * scale, unit=UNIT, nodata=nodata,
            nodata_in_any=True, crs=crs,
        )  # fmt: skip
    evidence = stated if offset else ()
    return BandFile(file, names, number, evidence=evidence, scale=scale or 1.0, nodata=nodata, crs=crs)


def _joined(place: str, href: str) -> str:
    """Return a relative address as seen from a file on a server; `urljoin` does not know s3 and other schemes."""
    scheme, separator, rest = place.rpartition("://")
    if not separator:
        return posixpath.normpath(posixpath.join(posixpath.dirname(place), href))
    return scheme + urljoin(f"http://{rest}", href).removeprefix("http")


def _number(raster: Mapping[str, Any], name: str) -> float | None:
    """Return a value of a band's description, of STAC 1.1 (with the prefix raster) or 1.0."""
    found = raster.get(f"raster:{name}", raster.get(name))
    try:
        return None if found is None else float(found)
    except (TypeError, ValueError):
        return None


def _stated(item: _Item, key: str, offset: float, scale: float) -> Evidence:
    where = f"{Path(item.place).name}, offset {offset:g} and scale {scale:g} of asset {key}"
    return Evidence("add", where, round(offset / scale, 6))


def _removed(item: _Item) -> tuple[Evidence, ...]:
    key = next((key for key in REMOVED if str(item.properties.get(key)).lower() == "true"), None)
    return () if key is None else (Evidence("removed", f"{Path(item.place).name}, {key}"),)


def _expected(item: _Item) -> tuple[Evidence, ...]:
    key = next((key for key in BASELINE if item.properties.get(key)), None)
    if key is None:
        return (Evidence("unknown", f"{Path(item.place).name} states no processing baseline"),)
    return expected_by(str(item.properties[key]), f"{Path(item.place).name}, {key}")


def _sentinel2_key(names: tuple[str, ...]) -> str | None:
    """Return Sentinel-2's name of a band with these names: the first that is known counts."""
    by_name = {plain_name(name): key for key in BANDS for name in names_of(key)}
    return next((by_name[plain_name(name)] for name in names if plain_name(name) in by_name), None)


def _with_product_metadata(item: _Item, bands: tuple[BandFile, ...], wanted: Wanted) -> tuple[BandFile, ...]:
    """Return the bands with the offsets of the product's metadata, where one is expected but not stated."""
    plain = {plain_name(name) for name in wanted.bands}
    short = [band for band in bands if _lacks_offset(band) and plain & {plain_name(name) for name in band.names}]
    reference = item.product_metadata
    if not short or reference is None:
        return bands
    root = parsed(Cell("optical", item.place, "item"), reference)
    radiometry = Radiometry(root, Path(reference).name, "L1C" if "1C" in root.tag else "L2A")
    return tuple(_with_evidence(band, radiometry) if _lacks_offset(band) else band for band in bands)


def _lacks_offset(band: BandFile) -> bool:
    is_expected = any(one.statement == "expected" and one.offset for one in band.evidence)
    return is_expected and not {"add", "removed"} & {one.statement for one in band.evidence}


def _with_evidence(band: BandFile, radiometry: Radiometry) -> BandFile:
    key = _sentinel2_key(band.names)
    return band if key is None else replace(band, evidence=(*band.evidence, *radiometry.of(key)))


def _crs(described: Mapping[str, Any]) -> str | None:
    """Return the CRS of an asset or item, as code or WKT."""
    code, epsg = described.get("proj:code"), described.get("proj:epsg")
    return str(code) if code else f"EPSG:{epsg}" if epsg else described.get("proj:wkt2")


def _facts(item: _Item) -> SourceFacts:
    found, links = item.properties, item.content.get("links") or []
    when = found.get("datetime") or found.get("start_datetime")
    cover, baseline = found.get("eo:cloud_cover"), next((found[key] for key in BASELINE if found.get(key)), None)
    by_relation = {link.get("rel"): address(str(link.get("href"))) for link in links if isinstance(link, dict)}
    own = by_relation.get("self") or item.place
    return SourceFacts(
        ids=(str(item.content.get("id")),),
        acquired=None if when is None else datetime.date.fromisoformat(str(when)[:10]),
        cloud_cover_pct=None if cover is None else float(cover),
        platform=found.get("platform"),
        baseline=None if baseline is None else str(baseline),
        licence=found.get("license") or by_relation.get("license"),
        links=(own,) if is_remote(own) else (),
    )


def _check_unambiguous(item: _Item, product: Product, wanted: Wanted) -> None:
    """Check that no wanted name is that of several assets; the key of an asset counts before other names."""
    for name in wanted.bands:
        plain = plain_name(name)
        named = [band for band in product.bands if plain in {plain_name(one) for one in band.names}]
        by_key = [band for band in named if plain_name(band.names[0]) == plain]
        if len({band.names[0].removesuffix("-jp2") for band in named}) > 1 and not by_key:
            raise BandCountError(
                f"{item.place}: several assets may be band {name}: {', '.join(band.names[0] for band in named)}; use "
                "the asset's key in the settings"
            )
