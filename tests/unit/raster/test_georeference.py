from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.rpc import RPC

from clairemap.errors import GridError
from clairemap.raster.source import RasterSource

METRES = Affine(10, 0, 500_000, 0, -10, 5_400_000)
DEGREES = Affine(1e-4, 0, 15, 0, -1e-4, 48)
CAD = 'LOCAL_CS["site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
BOUND = (
    'PROJCS["zone 3",GEOGCS["old",DATUM["old",SPHEROID["Bessel 1841",6377397.155,299.1528128],'
    'TOWGS84[598.1,73.7,418.2,0.202,0.045,-2.455,6.7]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",9],'
    'PARAMETER["scale_factor",1],PARAMETER["false_easting",3500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
)


def raster(folder: Path, crs: str | None, transform: Affine, shape: tuple[int, int] = (8, 8), **more: object) -> Path:
    path = folder / "a.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=shape[1], height=shape[0], count=1, dtype="uint8", crs=crs,
        transform=transform, **more,
    ) as file:  # fmt: skip
        file.write(np.ones((1, *shape), np.uint8))
    return path


def vrt(folder: Path, inner: str) -> Path:
    raster(folder, None, Affine.identity())
    path = folder / "a.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="8" rasterYSize="8">{inner}<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>'
    )
    return path


@pytest.mark.parametrize(
    ("crs", "transform", "said"),
    [
        (CAD, METRES, "site grid is neither projected nor geographic but of type Engineering CRS"),
        ("EPSG:4978", METRES, "EPSG:4978 is neither projected nor geographic but of type Geocentric CRS"),
        ("EPSG:5773", METRES, "neither projected nor geographic"),
        ("IAU_2015:30100", DEGREES, r"cannot be transformed to .* on the Earth \(.*Moon vs Earth\)"),
        ("+proj=eqc +a=3396190 +b=3396190 +units=m", METRES, "Mars vs Earth"),
    ],
)
def test_a_crs_that_is_not_of_the_earth_is_an_error_with_a_remedy(
    tmp_path: Path, crs: str, transform: Affine, said: str
):
    path = raster(tmp_path, crs, transform)
    with pytest.raises(GridError, match=rf"a\.tif: CRS .*{said}.*gdal_edit.py -a_srs EPSG.*pixel by pixel") as caught:
        RasterSource(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("crs", "transform", "said"),
    [
        ("EPSG:4326", METRES, r"EPSG:4326: latitude 53999"),
        ("EPSG:4326", Affine(1e-4, 0, 500_000, 0, -1e-4, 48), "longitude 500000"),
        ("EPSG:4326", Affine(90, 0, 0, 0, -1, 48), "more than 360 degrees"),
        ("EPSG:32633", DEGREES, "pixels of 0.0001 m; .* degrees"),
        ("EPSG:3413", Affine(10, 0, 5e8, 0, -10, 5e8), "no pixel is on the Earth"),
        ("+proj=geos +h=35785831 +lon_0=0 +sweep=y", Affine(10, 0, 6e6, 0, -10, 5e6), "no pixel is on the Earth"),
    ],
)
def test_coordinates_that_do_not_fit_the_crs(tmp_path: Path, crs: str, transform: Affine, said: str):
    with pytest.raises(GridError, match=rf"a\.tif: coordinates from .* do not fit CRS.*{said}.*-a_srs"):
        RasterSource(raster(tmp_path, crs, transform))


def test_a_crs_without_a_geotransform(tmp_path: Path):
    with pytest.raises(GridError, match=r"a\.tif: has CRS EPSG:32633 but no geotransform.*-a_ullr"):
        RasterSource(raster(tmp_path, "EPSG:32633", Affine.identity()))


def test_a_geotransform_without_area(tmp_path: Path):
    with pytest.raises(GridError, match=r"a\.tif: geotransform .* has zero pixel area"):
        RasterSource(raster(tmp_path, "EPSG:32633", Affine(10, 0, 5e5, 10, 0, 53e5)))


def test_rpc_and_geolocation_arrays_are_rejected(tmp_path: Path):
    one = [1.0] + [0.0] * 19
    polynomials = RPC(100, 100, 48, 0.02, one, one, 4, 4, 15, 0.02, one, one, 4, 4)
    with pytest.raises(GridError, match=r"a\.tif: georeferenced only by rational polynomial .*; terrain-correct"):
        RasterSource(raster(tmp_path, None, Affine.identity(), rpcs=polynomials))
    arrays = '<Metadata domain="GEOLOCATION"><MDI key="X_DATASET">lon.tif</MDI><MDI key="X_BAND">1</MDI></Metadata>'
    with pytest.raises(GridError, match=r"a\.vrt: georeferenced only by per-pixel coordinates"):
        RasterSource(vrt(tmp_path, arrays))


def test_rpc_with_a_geotransform_are_ignored(tmp_path: Path):
    one = [1.0] + [0.0] * 19
    polynomials = RPC(100, 100, 48, 0.02, one, one, 4, 4, 15, 0.02, one, one, 4, 4)
    assert RasterSource(raster(tmp_path, "EPSG:32633", METRES, rpcs=polynomials)).geobox.crs.epsg == 32633


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", METRES),
        ("EPSG:32633", Affine(10, 0, 700_000, 0, 10, 5_397_440)),  # south up
        ("EPSG:32633", Affine(-7.6, 6.4, 520_000, 6.4, 7.6, 5_300_000)),
        ("EPSG:32633+5773", METRES),
        ("EPSG:2263", Affine(33, 0, 980_000, 0, -33, 200_000)),
        ("EPSG:4326", Affine(1e-4, 0, 190, 0, -1e-4, 48)),
        ("EPSG:4326", Affine(45, 0, -202.5, 0, -180 / 7, 90 + 90 / 7)),  # pixels centred on the poles
        ("EPSG:4807", Affine(1e-4, 0, 2, 0, -1e-4, 54)),  # grads
        ("EPSG:4326+5773", DEGREES),
        (BOUND, Affine(10, 0, 3_500_000, 0, -10, 5_400_000)),
        ("+proj=sinu +R=6371007.181 +units=m", METRES),
        ("+proj=geos +h=35785831 +lon_0=0 +sweep=y", Affine(1_400_000, 0, -5_600_000, 0, -1_400_000, 5_600_000)),
    ],
)
def test_grids_on_the_earth_are_unchanged(tmp_path: Path, crs: str, transform: Affine):
    geobox = RasterSource(raster(tmp_path, crs, transform)).geobox
    assert geobox.shape == (8, 8) and geobox.transform.almost_equals(transform)
    assert geobox.crs is not None


@pytest.mark.parametrize(
    ("crs", "transform", "expected"),
    [
        ("EPSG:32633+5773", METRES, "EPSG:32633"),
        ("EPSG:32633+4979", METRES, "EPSG:32633"),
        ("EPSG:4979", DEGREES, "EPSG:4326"),
        ("EPSG:4326+5773", DEGREES, "EPSG:4326"),
    ],
)
def test_vertical_axes_are_removed_from_the_crs(tmp_path: Path, crs: str, transform: Affine, expected: str):
    assert str(RasterSource(raster(tmp_path, crs, transform)).geobox.crs) == expected


def test_a_rotated_pole_must_be_reprojected(tmp_path: Path):
    crs = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18"
    with pytest.raises(GridError, match=r"rotated pole\), which GeoTIFF cannot store; reproject .*gdalwarp"):
        RasterSource(raster(tmp_path, crs, DEGREES))


def test_plain_pixels_stay_plain(tmp_path: Path, made_rasters: ModuleType):
    plain = RasterSource(made_rasters.write_raster(tmp_path / "p.tif", np.ones((8, 8), np.uint8)))
    assert plain.geobox == GeoBox((8, 8), Affine.identity(), None)
    assert RasterSource(raster(tmp_path, None, METRES)).geobox.crs is None
