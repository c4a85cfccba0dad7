"""Tiny products in the exact layout of their providers, with known numbers."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

TILE, CRS = "T33UWQ", "EPSG:32633"
ORIGIN = (500_000.0, 5_400_000.0)
SIDE_M = 1200
"""Side of the ground that a made product covers, metres: 120 px of 10 m."""

RESOLUTIONS = {
    "B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60,
    "B10": 60, "B11": 20, "B12": 20,
}  # fmt: skip
IDS = tuple(RESOLUTIONS)
LEVELS = {"L1C": "Level-1C", "L2A": "Level-2A"}
Numbers = Callable[[str, int], NDArray[np.uint16]]
"""Stored numbers (y, x) of a band, by its key and side in pixels."""


def plain_numbers(key: str, side: int) -> NDArray[np.uint16]:
    """Return numbers that differ in each pixel and band; the first column has no data."""
    y, x = np.mgrid[:side, :side]
    scale = 120 // side
    values = 1200 + 100 * (IDS.index(key) if key in IDS else 0) + scale * (3 * x + 2 * y)
    values[:, : 12 // scale] = 0
    return values.astype(np.uint16)


def scl_numbers(_key: str, side: int) -> NDArray[np.uint16]:
    """Return codes 0 to 11 of the scene classification in vertical stripes."""
    return np.broadcast_to(np.arange(side) * 12 // side, (side, side)).astype(np.uint16)


@dataclass(frozen=True)
class Sentinel2:
    """What to make: level, baseline, stated offset (None: no element), and numbers of the bands."""

    level: str = "L2A"
    baseline: str = "05.10"
    offset: int | None = -1000
    quantification: int = 10_000
    numbers: Numbers = plain_numbers
    keys: tuple[str, ...] = ("B02", "B03", "B04", "B08", "B11")
    day: str = "20260512"

    @property
    def name(self) -> str:
        """Name of the product."""
        number = self.baseline.replace(".", "")
        return f"S2A_MSI{self.level}_{self.day}T100031_N{number}_R122_{TILE}_{self.day}T130000.SAFE"

    def write(self, folder: Path) -> Path:
        """Write the product into a folder and return its own folder."""
        product = folder / self.name
        granule = f"GRANULE/{self.level}_{TILE}_A034443_{self.day}T100310"
        images = [self._write_image(product, granule, key, metres) for key, metres in self._images()]
        if self.level == "L2A":
            images.append(self._write_image(product, granule, "SCL", 20))
        (product / f"MTD_MSI{self.level}.xml").write_text(self._metadata(images))
        (product / granule / "MTD_TL.xml").write_text("<n1:Tile xmlns:n1='t'/>")
        (product / "INSPIRE.xml").write_text("<gmd/>")
        (product / "manifest.safe").write_text(_manifest(product))
        return product

    def _images(self) -> list[tuple[str, int]]:
        if self.level == "L1C":
            return [(key, RESOLUTIONS[key]) for key in self.keys]
        return [(key, metres) for metres in (10, 20, 60) for key in self.keys if RESOLUTIONS[key] <= metres]

    def _write_image(self, product: Path, granule: str, key: str, metres: int) -> str:
        inner = f"R{metres}m/" if self.level == "L2A" else ""
        ending = f"_{metres}m" if self.level == "L2A" else ""
        reference = f"{granule}/IMG_DATA/{inner}{TILE}_{self.day}T100031_{key}{ending}"
        numbers = scl_numbers if key == "SCL" else self.numbers
        values = numbers(key, SIDE_M // metres)
        write_jp2(product / f"{reference}.jp2", values.astype(np.uint8) if key == "SCL" else values, metres)
        return reference

    def _metadata(self, images: list[str]) -> str:
        quantity, offset = ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET")
        if self.level == "L1C":
            quantity, offset = "QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET"
        listed = "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
        outer = "BOA_ADD_OFFSET_VALUES_LIST" if self.level == "L2A" else "Radiometric_Offset_List"
        offsets = "".join(f'<{offset} band_id="{n}">{self.offset}</{offset}>' for n in range(13))
        quantities = f'<{quantity} unit="none">{self.quantification}</{quantity}>'
        if self.level == "L2A":
            quantities = f"<QUANTIFICATION_VALUES_LIST>{quantities}</QUANTIFICATION_VALUES_LIST>"
        day = f"{self.day[:4]}-{self.day[4:6]}-{self.day[6:]}T10:00:31.024Z"
        kind = LEVELS[self.level]
        return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:{kind}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_{kind}.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>{day}</PRODUCT_START_TIME><PRODUCT_STOP_TIME>{day}</PRODUCT_STOP_TIME>
<PRODUCT_URI>{self.name}</PRODUCT_URI><PROCESSING_LEVEL>{kind}</PROCESSING_LEVEL>
<PRODUCT_TYPE>S2MSI{self.level[1:]}</PRODUCT_TYPE><PROCESSING_BASELINE>{self.baseline}</PROCESSING_BASELINE>
<Datatake datatakeIdentifier="GS2A_{self.day}T100031_034443_N{self.baseline}">
<SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME><DATATAKE_SENSING_START>{day}</DATATAKE_SENSING_START></Datatake>
<Product_Organisation><Granule_List><Granule datastripIdentifier="d" granuleIdentifier="g" imageFormat="JPEG2000">
{listed}</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics><Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>{quantities}
{f"<{outer}>{offsets}</{outer}>" if self.offset is not None else ""}
</Product_Image_Characteristics></n1:General_Info>
<n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info>
</n1:{kind}_User_Product>
"""


def write_jp2(path: Path, values: NDArray[np.generic], metres: float, origin: tuple[float, float] = ORIGIN) -> Path:
    """Write an image without loss, without a nodata tag, as Sentinel-2's are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = Affine(metres, 0, origin[0], 0, -metres, origin[1])
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="JP2OpenJPEG", height=height, width=width, count=1, dtype=values.dtype, crs=CRS,
        transform=place, QUALITY="100", REVERSIBLE="YES", RESOLUTIONS="1",
    ) as file:  # fmt: skip
        file.write(values, 1)
    return path


def _manifest(product: Path) -> str:
    rows = []
    for path in sorted(product.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            rows.append(
                f'<dataObject ID="i"><byteStream mimeType="application/octet-stream" size="{len(content)}">'
                f'<fileLocation locatorType="URL" href="./{path.relative_to(product)}"/>'
                f'<checksum checksumName="MD5">{hashlib.md5(content).hexdigest()}</checksum></byteStream></dataObject>'
            )
    return f"<xfdu:XFDU xmlns:xfdu='x'><dataObjectSection>{''.join(rows)}</dataObjectSection></xfdu:XFDU>"


def zipped(product: Path) -> Path:
    """Replace a product's folder by an archive of it and return the archive."""
    target = product.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(product.rglob("*")):
            archive.write(path, path.relative_to(product.parent))
    shutil.rmtree(product)
    return target


def write_bands(folder: Path, bands: Mapping[str, NDArray[np.generic]], metres: Mapping[str, float]) -> None:
    """Write one GeoTIFF for each band by its file name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in bands.items():
        place = Affine(metres[name], 0, ORIGIN[0], 0, -metres[name], ORIGIN[1])
        with rasterio.open(
            folder / name, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1,
            dtype=values.dtype, crs=CRS, transform=place,
        ) as file:  # fmt: skip
            file.write(values, 1)


LANDSAT_SCALE, LANDSAT_ADD = 2.75e-05, -0.2


def write_landsat(folder: Path, name: str, bands: Mapping[str, NDArray[np.generic]]) -> Path:
    """Write a Landsat Collection 2 Level-2 product into a folder: bands by key (B4, QA_PIXEL), 30 m."""
    files = {f"{name}_{key if key == 'QA_PIXEL' else f'SR_{key}'}.TIF": values for key, values in bands.items()}
    write_bands(folder, files, dict.fromkeys(files, 30.0))
    rescaling = "".join(
        f"<REFLECTANCE_MULT_BAND_{n}>{LANDSAT_SCALE}</REFLECTANCE_MULT_BAND_{n}>"
        f"<REFLECTANCE_ADD_BAND_{n}>{LANDSAT_ADD}</REFLECTANCE_ADD_BAND_{n}>"
        for n in range(1, 8)
    )
    (folder / f"{name}_MTL.xml").write_text(
        "<LANDSAT_METADATA_FILE>"
        f"<PRODUCT_CONTENTS><LANDSAT_PRODUCT_ID>{name}</LANDSAT_PRODUCT_ID></PRODUCT_CONTENTS>"
        "<IMAGE_ATTRIBUTES><SPACECRAFT_ID>LANDSAT_9</SPACECRAFT_ID><DATE_ACQUIRED>2022-05-12</DATE_ACQUIRED>"
        "<CLOUD_COVER>3.20</CLOUD_COVER></IMAGE_ATTRIBUTES>"
        "<LEVEL1_RADIOMETRIC_RESCALING><REFLECTANCE_ADD_BAND_4>-0.1</REFLECTANCE_ADD_BAND_4></LEVEL1_RADIOMETRIC_RESCALING>"
        f"<LEVEL2_SURFACE_REFLECTANCE_PARAMETERS>{rescaling}</LEVEL2_SURFACE_REFLECTANCE_PARAMETERS>"
        "</LANDSAT_METADATA_FILE>"
    )
    return folder
