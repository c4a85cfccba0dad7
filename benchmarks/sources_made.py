"""Made Sentinel-2 products for sources.py: full ones with images, and empty ones for planning."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

BANDS = {"B04": 10, "B03": 10, "B02": 10, "B08": 10, "B11": 20}
NAMES = ("red", "green", "blue", "nir", "swir16")
OFFSET = -1000
STEM, GRANULE = "T33UWQ_20260512T100031", "GRANULE/L2A_T33UWQ_A034443_20260512T100310"
NAME = "S2A_MSIL2A_20260512T100031_N0511_R122_T33UWQ_20260512T130000.SAFE"
JP2_BLOCK_PX, TIF_BLOCK_PX = 1024, 512
JP2 = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}
TIF = {
    "driver": "GTiff",
    "interleave": "band",
    "tiled": True,
    "blockxsize": TIF_BLOCK_PX,
    "blockysize": TIF_BLOCK_PX,
    "compress": "DEFLATE",
}
ORIGIN = (500_000, 5_400_000)
METADATA = """<n1:Level-2A_User_Product xmlns:n1="u"><n1:General_Info>
<PRODUCT_START_TIME>2026-05-12T10:00:31.024Z</PRODUCT_START_TIME><PRODUCT_URI>{name}</PRODUCT_URI>
<PROCESSING_BASELINE>05.11</PROCESSING_BASELINE>{images}
<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>{offsets}
</n1:General_Info></n1:Level-2A_User_Product>"""


def numbers(side: int, seed: int) -> NDArray[np.uint16]:
    """Return stored numbers (y, x) of a smooth landscape with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(1200, 4000, (side // 32 + 1, side // 32 + 1))
    fine = np.kron(coarse, np.ones((32, 32)))[:side, :side] + rng.normal(0, 30, (side, side))
    return np.clip(fine, 1, 20_000).astype(np.uint16)


def image_name(key: str) -> str:
    """Return the reference of a band's image, without its ending."""
    return f"{GRANULE}/IMG_DATA/R{BANDS[key]}m/{STEM}_{key}_{BANDS[key]}m"


def make_product(folder: Path, side: int) -> Path:
    """Write a product whose bands of 10 m have `side` squared pixels, and return its folder."""
    product = folder / NAME
    for seed, (key, metres) in enumerate(BANDS.items()):
        path = product / f"{image_name(key)}.jp2"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = numbers(side * 10 // metres, seed)
        block = min(JP2_BLOCK_PX, values.shape[0])
        with rasterio.open(path, "w", **JP2, **_place(values, metres), BLOCKXSIZE=block, BLOCKYSIZE=block) as file:
            file.write(values, 1)
    images = "".join(f"<IMAGE_FILE>{image_name(key)}</IMAGE_FILE>" for key in BANDS)
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{number}">{OFFSET}</BOA_ADD_OFFSET>' for number in range(13))
    text = METADATA.format(name=NAME, images=images, offsets=offsets)
    (product / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    return product


def make_stack(product: Path, target: Path, side: int) -> Path:
    """Write the product's bands as one GeoTIFF on the grid of 10 m, with the offset as a tag."""
    profile = {**TIF, **_place(np.zeros((side, side), np.uint16), 10), "count": len(BANDS), "nodata": 0}
    with rasterio.open(target, "w", **profile) as stack:
        stack.offsets = [OFFSET] * len(BANDS)
        for number, key in enumerate(BANDS, start=1):
            with rasterio.open(product / f"{image_name(key)}.jp2") as file:
                values = file.read(1, out_shape=(side, side))
            for y0 in range(0, side, TIF_BLOCK_PX):
                rows = values[y0 : y0 + TIF_BLOCK_PX]
                stack.write(rows, number, window=Window(0, y0, side, rows.shape[0]))
    return target


def _place(values: NDArray[np.uint16], metres: float) -> dict[str, object]:
    height, width = values.shape
    transform = Affine(metres, 0, ORIGIN[0], 0, -metres, ORIGIN[1])
    return {"height": height, "width": width, "count": 1, "dtype": values.dtype, "crs": "EPSG:32633",
            "transform": transform}  # fmt: skip


def make_empty_product(folder: Path, name: str) -> Path:
    """Write a product of empty files: what planning sees."""
    product = folder / f"{name}.SAFE"
    for metres in (10, 20, 60):
        images = product / GRANULE / "IMG_DATA" / f"R{metres}m"
        images.mkdir(parents=True)
        for key in ("B02", "B03", "B04", "B08", "B11", "SCL", "TCI", "AOT", "WVP"):
            (images / f"{STEM}_{key}_{metres}m.jp2").touch()
    for part in ("AUX_DATA", "QI_DATA"):
        (product / GRANULE / part).mkdir()
        (product / GRANULE / part / "x.xml").touch()
    (product / "DATASTRIP" / "DS" / "QI_DATA").mkdir(parents=True)
    for file in ("MTD_MSIL2A.xml", "manifest.safe", "INSPIRE.xml", f"{GRANULE}/MTD_TL.xml"):
        (product / file).touch()
    return product
