"""Reader of Sentinel-2 products: L1C and L2A, a `.SAFE` folder or its archive.

Offsets are read from the product's metadata (`MTD_MSIL1C.xml`, `MTD_MSIL2A.xml`): RADIO_ADD_OFFSET or BOA_ADD_OFFSET of
each band. The processing baseline decides whether they must be there. Values are reflectance × 10 000 with the offset
removed, whatever the baseline and the quantification value.

Layout and keys: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, issues 14 and 15.
"""

import datetime
import re
from pathlib import Path
from xml.etree.ElementTree import Element

from clairemap.artefacts.scene_sources import SourceFacts
from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.sources.cells import Cell
from clairemap.sources.documents import found, parsed
from clairemap.sources.product import BandFile, Evidence, MaskFile, Product, plain_name
from clairemap.sources.sentinel2_bands import BANDS, OFFSET, OFFSET_SINCE, REFLECTANCE, UNIT, names_of
from clairemap.sources.wanted import Wanted

METADATA = re.compile(r"(?:^|/)MTD_MSI(L1C|L2A)\.xml$")
IMAGE = re.compile(r"(?:^|/)IMG_DATA/(?:R(?:10|20|60)m/)?[^/]*_(B\d[\dA]|SCL)(?:_(10|20|60)m)?\.jp2$")
MANIFEST = "manifest.safe"
LICENCE = "Copernicus Sentinel data terms"
NODATA = 0.0
"""In each band, in all baselines: 0 is never measured."""


def knows(cell: Cell) -> bool:
    """Whether a folder or archive contains a product's metadata or images, or has a product's name."""
    if cell.kind not in ("folder", "archive"):
        return False
    return any(map(METADATA.search, cell.names)) or any("IMG_DATA/" in name for name in cell.names)


def files(cell: Cell, wanted: Wanted) -> tuple[str, ...]:
    """Return metadata, manifest, and the finest images of the wanted bands or of the scene classification."""
    keys = {"SCL"} if wanted.role == "cloud" else _keys(wanted.bands)
    described = [name for name in cell.names if METADATA.search(name) or name.endswith(MANIFEST)]
    finest: dict[str, tuple[int, str]] = {}
    for name in cell.names:
        if (image := IMAGE.search(name)) and image[1] in keys:
            one = int(image[2] or 0), name
            finest[image[1]] = min(finest.get(image[1], one), one)
    return (*described, *(name for _, name in sorted(finest.values())))


def read(cell: Cell, wanted: Wanted) -> Product:
    """Return the product with all its bands.

    Raises:
        MissingFileError: the metadata, or an image of a wanted band that they name, is missing.
        UnreadableFileError: the metadata are damaged, the cell contains several products, or an image is truncated.
    """
    document = _metadata_name(cell)
    root = parsed(cell, document)
    top = document.rpartition("/")[0]
    level = "L1C" if document.endswith("L1C.xml") else "L2A"
    images = _images(cell, root, f"{top}/" if top else "")
    sizes = _sizes(cell, f"{top}/{MANIFEST}" if top else MANIFEST)
    keys = {"SCL"} if wanted.role == "cloud" else _keys(wanted.bands)
    _check_delivered(cell, Path(document).name, [name for key in keys for name in images.get(key, ())[:1]])
    evidence, scale = Radiometry(root, Path(document).name, level), _scale(cell, root)
    bands = tuple(
        BandFile(
            image, names_of(key), evidence=evidence.of(key), scale=scale, unit=UNIT, nodata=NODATA,
            nodata_in_any=True, size_bytes=sizes.get(image),
        )
        for key in BANDS
        for image in images.get(key, ())[:1]
    )  # fmt: skip
    scl = next(iter(images.get("SCL", ())), None)
    masks = {} if scl is None else {"scl": MaskFile(scl, "scl", size_bytes=sizes.get(scl))}
    return Product("sentinel2", bands, masks, _facts(cell, root))


def _keys(names: tuple[str, ...]) -> set[str]:
    plain = {plain_name(name) for name in names}
    return {key for key in BANDS if plain & {plain_name(name) for name in names_of(key)}}


def _metadata_name(cell: Cell) -> str:
    documents = [name for name in cell.names if METADATA.search(name)]
    if len(documents) == 1:
        return documents[0]
    if documents:
        raise UnreadableFileError(
            f"{cell.text}: contains {len(documents)} products ({', '.join(documents[:2])}, ...); name one of them in "
            "the sample sheet: each product is a scene of its own"
        )
    raise MissingFileError(
        f"{cell.text}: has images of a Sentinel-2 product, but MTD_MSIL2A.xml (or MTD_MSIL1C.xml) is missing: the "
        "download is incomplete; download the product again"
    )


def _images(cell: Cell, root: Element, top: str) -> dict[str, list[str]]:
    """Return the images that the metadata name, by band and from fine to coarse, whether they are there or not.

    Before format 14, L2A's list has the element IMAGE_FILE_2A.
    """
    images: dict[str, list[tuple[int, str]]] = {}
    for element in root.iter():
        if element.tag in ("IMAGE_FILE", "IMAGE_FILE_2A", "IMAGE_ID_2A") and element.text:
            name = f"{top}{element.text.strip()}.jp2"
            if image := IMAGE.search(name):
                images.setdefault(image[1], []).append((int(image[2] or 0), name))
    if not images:
        raise UnreadableFileError(
            f"{cell.text}: the metadata list no images (IMAGE_FILE); products of the format before December 2016 are "
            "not supported"
        )
    return {key: [name for _, name in sorted(names)] for key, names in images.items()}


def _sizes(cell: Cell, manifest: str) -> dict[str, int]:
    """Return the sizes of the product's files by the manifest; empty if there is none."""
    if manifest not in cell.names:
        return {}
    top = manifest.removesuffix(MANIFEST)
    sizes = {}
    for stream in parsed(cell, manifest).iter("byteStream"):
        place = stream.find("fileLocation")
        if place is not None and stream.get("size", "").isdigit():
            sizes[top + place.get("href", "").removeprefix("./")] = int(stream.get("size", "0"))
    return sizes


def _check_delivered(cell: Cell, document: str, names: list[str]) -> None:
    present = set(cell.names)
    if absent := [name for name in names if name not in present]:
        raise MissingFileError(
            f"{cell.text}: {document} names {absent[0]}, which is missing ({len(absent)} of {len(names)} images that "
            "are read): the download is incomplete; download the product again"
        )


class Radiometry:
    """Offsets in the metadata of a product, its root element; `document` is their name and `level` L1C or L2A."""

    def __init__(self, root: Element, document: str, level: str) -> None:
        tag = "RADIO_ADD_OFFSET" if level == "L1C" else "BOA_ADD_OFFSET"
        self._where = f"{document}, {tag}"
        self._offsets = {int(element.get("band_id", "-1")): float(element.text or "nan") for element in root.iter(tag)}
        self._baseline = found(root, "PROCESSING_BASELINE")
        self._document = document

    def of(self, key: str) -> tuple[Evidence, ...]:
        """Return the evidence for a band."""
        number = list(BANDS).index(key)
        evidence = []
        if number in self._offsets:
            evidence.append(Evidence("add", f"{self._where} of band_id {number}", self._offsets[number]))
        evidence += expected_by(self._baseline, f"{self._document}, PROCESSING_BASELINE")
        return tuple(evidence) or (Evidence("unknown", f"{self._document}, without PROCESSING_BASELINE and offsets"),)


def expected_by(baseline: str | None, where: str) -> tuple[Evidence, ...]:
    """Return the offset that products of a processing baseline have; `where` is the key; empty: unknown baseline."""
    version = _version(baseline)
    if version is None:
        return ()
    return (Evidence("expected", f"{where} {baseline}", OFFSET if version >= OFFSET_SINCE else 0.0),)


def _version(baseline: str | None) -> tuple[int, int] | None:
    parts = re.fullmatch(r"(\d{2})\.(\d{2})", baseline or "")
    return None if parts is None else (int(parts[1]), int(parts[2]))


def _scale(cell: Cell, root: Element) -> float:
    """Return the factor from stored numbers to reflectance × 10 000: 1 if the quantification value is 10 000."""
    for tag in ("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE"):
        if (text := found(root, tag)) is not None:
            value = float(text)
            if value <= 0:
                raise UnreadableFileError(f"{cell.text}: {tag} is {text} in the metadata; download the product again")
            return REFLECTANCE / value
    raise UnreadableFileError(f"{cell.text}: the metadata have no QUANTIFICATION_VALUE; download the product again")


def _facts(cell: Cell, root: Element) -> SourceFacts:
    uri = found(root, "PRODUCT_URI") or found(root, "PRODUCT_URI_2A") or Path(cell.text).name
    start = found(root, "DATATAKE_SENSING_START") or found(root, "PRODUCT_START_TIME")
    cover = found(root, "Cloud_Coverage_Assessment") or found(root, "CLOUDY_PIXEL_OVER_LAND_PERCENTAGE")
    return SourceFacts(
        ids=(uri.removesuffix(".SAFE"),),
        acquired=None if start is None else datetime.date.fromisoformat(start[:10]),
        cloud_cover_pct=None if cover is None else float(cover),
        platform=found(root, "SPACECRAFT_NAME"),
        baseline=found(root, "PROCESSING_BASELINE"),
        licence=LICENCE,
    )
