"""Reader of Landsat Collection 2 Level-2 products: a folder or archive with `…_SR_B4.TIF`, `…_MTL.xml`, QA_PIXEL.

Scale and offset are those of the metadata for each band: reflectance = number * REFLECTANCE_MULT + REFLECTANCE_ADD.
Values are reflectance × 10 000, as for Sentinel-2. QA_PIXEL is the cloud mask.

Keys: Landsat 8-9 Collection 2 Level 2 Science Product Guide, LSDS-1619; Landsat 4-7: LSDS-1618.
"""

import datetime
import re
from xml.etree.ElementTree import Element

from clairemap.artefacts.scene_sources import SourceFacts
from clairemap.errors import MissingFileError, UnreadableFileError
from clairemap.sources.cells import Cell
from clairemap.sources.documents import found, parsed
from clairemap.sources.product import BandFile, Evidence, MaskFile, Product, plain_name
from clairemap.sources.sentinel2_bands import REFLECTANCE, UNIT
from clairemap.sources.wanted import Wanted

IMAGE = re.compile(r"(?:^|/)(L[COTEM]\d\d_L2S[PR]_\w+)_(?:SR_(B\d)|(QA_PIXEL))\.TIF$")
METADATA = re.compile(r"(?:^|/)L[COTEM]\d\d_L2S[PR]_\w+_MTL\.xml$")
GROUP = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
OLI = {"B1": "coastal", "B2": "blue", "B3": "green", "B4": "red", "B5": "nir08", "B6": "swir16", "B7": "swir22"}
TM = {"B1": "blue", "B2": "green", "B3": "red", "B4": "nir08", "B5": "swir16", "B7": "swir22"}
"""Common names of the bands of Landsat 8 and 9, and of 4 to 7; nir08 may also be asked for as nir."""

LICENCE = "public domain (USGS)"


def knows(cell: Cell) -> bool:
    """Whether a folder or archive contains images of a Level-2 product."""
    return cell.kind in ("folder", "archive") and any(map(IMAGE.search, cell.names))


def files(cell: Cell, wanted: Wanted) -> tuple[str, ...]:
    """Return the metadata, and the images of the wanted bands or the quality band."""
    keys = _keys(cell, wanted)
    images = (match for match in map(IMAGE.search, cell.names) if match and (match[2] or match[3]) in keys)
    return (*filter(METADATA.search, cell.names), *(match.string for match in images))


def read(cell: Cell, wanted: Wanted) -> Product:
    """Return the product with all its bands.

    Raises:
        MissingFileError: the metadata, or an image of a wanted band, is missing.
        UnreadableFileError: the metadata are damaged, or the cell contains several products.
    """
    document = _document(cell)
    root = parsed(cell, document)
    images = {match[2] or match[3]: match.string for match in map(IMAGE.search, cell.names) if match}
    if absent := sorted(_keys(cell, wanted) - images.keys()):
        raise MissingFileError(
            f"{cell.text}: the image of {', '.join(absent)} is missing: the download is incomplete; download it again"
        )
    rescaling = next((item for item in root.iter(GROUP)), None)
    if rescaling is None:
        raise UnreadableFileError(f"{cell.text}: {document} has no {GROUP}; download the product again")
    bands = tuple(_band(cell, document, rescaling, key, images[key]) for key in _common(cell) if key in images)
    quality = images.get("QA_PIXEL")
    masks = {} if quality is None else {"qa_pixel": MaskFile(quality, "qa_pixel")}
    return Product("landsat", bands, masks, _facts(root))


def _band(cell: Cell, document: str, rescaling: Element, key: str, image: str) -> BandFile:
    number = key.removeprefix("B")
    scale, add = (found(rescaling, f"REFLECTANCE_{name}_BAND_{number}") for name in ("MULT", "ADD"))
    if scale is None or add is None or float(scale) <= 0:
        raise UnreadableFileError(
            f"{cell.text}: {document} has no REFLECTANCE_MULT_BAND_{number} and REFLECTANCE_ADD_BAND_{number}; "
            "download the product again"
        )
    name = _common(cell)[key]
    return BandFile(
        image, (key, name, *(("nir",) if name == "nir08" else ())),
        evidence=(Evidence("add", f"{document}, REFLECTANCE_ADD_BAND_{number}", float(add) / float(scale)),),
        scale=float(scale) * REFLECTANCE, unit=UNIT, nodata=0.0, nodata_in_any=True,
    )  # fmt: skip


def _document(cell: Cell) -> str:
    documents = list(filter(METADATA.search, cell.names))
    if len(documents) > 1:
        raise UnreadableFileError(
            f"{cell.text}: contains {len(documents)} products ({', '.join(documents[:2])}, ...); name the folder of one"
        )
    if not documents:
        raise MissingFileError(f"{cell.text}: has Landsat images, but …_MTL.xml is missing; download the product again")
    return documents[0]


def _common(cell: Cell) -> dict[str, str]:
    first = next(match[1] for match in map(IMAGE.search, cell.names) if match)
    return OLI if first[2:4] in ("08", "09") else TM


def _keys(cell: Cell, wanted: Wanted) -> set[str]:
    """Return the keys of the images that are read; names that the product lacks are reported later."""
    if wanted.role == "cloud":
        return {"QA_PIXEL"}
    plain = {plain_name(name) for name in wanted.bands}
    also = {"nir08": {"nir08", "nir"}}
    return {key for key, name in _common(cell).items() if plain & ({key.lower()} | also.get(name, {name}))}


def _facts(root: Element) -> SourceFacts:
    name, day, cover = (found(root, key) for key in ("LANDSAT_PRODUCT_ID", "DATE_ACQUIRED", "CLOUD_COVER"))
    return SourceFacts(
        ids=() if name is None else (name,),
        acquired=None if day is None else datetime.date.fromisoformat(day),
        cloud_cover_pct=None if cover is None or float(cover) < 0 else float(cover),
        platform=found(root, "SPACECRAFT_ID"),
        baseline=found(root, "PROCESSING_SOFTWARE_VERSION"),
        licence=LICENCE,
    )
