"""Estimate the displacement between optical and SAR pictures with another project's tool.

Runs in `.venv-peers` (`make peers`), not in the product's environment, on one thread and one method at a time:

    .venv-peers/bin/python benchmarks/registration_peers.py --method elastix --cases cases.json --results results.json
    .venv-peers/bin/python benchmarks/registration_peers.py --method elastix --check
    python benchmarks/registration_peers.py --quick

cases.json lists {"name", "optical", "sar", "points", "max_shift_px"}: paths of one-band GeoTIFFs on one grid (NaN or
the file's nodata value: no data) and optical pixel centres [y, x], where the first pixel's centre is [0, 0].
results.json contains {"method", "version", "cases": [{"name", "displacement", "reason", "cpu_s"}]}: the SAR content of
the optical pixel (y, x) is at the SAR pixel (y + dy, x + dx). If a tool finds nothing or fails, `displacement` is null
and `reason` says why; if it is not installed, this applies to all cases. `cpu_s` is the time of the estimate alone,
without reading, imports and resampling.

The settings are adapted to speckle: with its defaults each tool except AROSICS is worse on real pairs.
`--check` runs a method on a synthetic pair with known displacement, which tests sign, axes and pixel convention.
`--quick` does this for clairemap and all installed tools, names the missing ones, and prints as its last line one JSON
object.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    "GDAL_NUM_THREADS": "1",
}
SEED = 1
CHECK_TOLERANCE_PX = 0.5  # AROSICS has 0.2; a rotation of the wrong sign gives 1.1, a shift of the wrong sign 8.6


class NoEstimateError(Exception):
    """The tool found no displacement."""


@dataclass(frozen=True)
class Pair:
    """An optical and a SAR image on one grid, (y, x) float32, NaN for nodata."""

    optical: NDArray[np.float32]
    sar: NDArray[np.float32]
    max_shift_px: float


# Each method returns an affine displacement: (3, 2) coefficients C with [dy, dx] = [y, x, 1] @ C, in pixels.
Method = Callable[[Pair], Floats]


def simpleitk(pair: Pair) -> Floats:
    """SimpleITK: Mattes mutual information of all pixels, affine, three levels, regular-step gradient descent.

    The finest level is smoothed by 2 px: without it, speckle triples the error on one of three real pairs. Plain
    gradient descent on a sample of pixels, as in many examples, diverges on optical and SAR.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    registration = sitk.ImageRegistrationMethod()
    registration.SetMetricAsMattesMutualInformation(50)
    for picture, set_mask in ((pair.optical, "SetMetricFixedMask"), (pair.sar, "SetMetricMovingMask")):
        if np.isnan(picture).any():
            getattr(registration, set_mask)(sitk.GetImageFromArray(data_mask(picture)))
    registration.SetInterpolator(sitk.sitkLinear)
    registration.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=1e-4, numberOfIterations=200,
        gradientMagnitudeTolerance=1e-8,  # the default, 1e-4, stops too early with this metric
    )  # fmt: skip
    registration.SetOptimizerScalesFromPhysicalShift()
    registration.SetShrinkFactorsPerLevel([4, 2, 1])
    registration.SetSmoothingSigmasPerLevel([4, 3, 2])
    registration.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    height, width = pair.optical.shape
    transform = sitk.AffineTransform(2)
    transform.SetCenter([(width - 1) / 2, (height - 1) / 2])
    registration.SetInitialTransform(transform, inPlace=True)
    registration.Execute(sitk.GetImageFromArray(filled(pair.optical)), sitk.GetImageFromArray(filled(pair.sar)))
    return from_itk(transform.GetParameters(), transform.GetCenter())


def elastix(pair: Pair) -> Floats:
    """elastix: its affine parameter map (advanced Mattes mutual information, four levels), more samples and smoothing.

    500 iterations of 5000 samples follow its manual (the map's 256 of 2048 scatter more). The finest level is smoothed
    by 2 px (schedule 4), as for SimpleITK.
    """
    import itk

    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    itk.MultiThreaderBase.SetGlobalMaximumNumberOfThreads(1)
    settings = itk.ParameterObject.GetDefaultParameterMap("affine", 4)
    settings["Metric"] = ["AdvancedMattesMutualInformation"]
    settings["ImagePyramidSchedule"] = [str(factor) for factor in (8, 6, 4, 4) for _ in "yx"]
    settings["MaximumNumberOfIterations"] = ["500"]
    settings["NumberOfSpatialSamples"] = ["5000"]
    settings["RandomSeed"] = [str(SEED)]
    settings["WriteResultImage"] = ["false"]
    parameters = itk.ParameterObject.New()
    parameters.AddParameterMap(settings)
    optical, sar = (itk.image_from_array(filled(picture)) for picture in (pair.optical, pair.sar))
    registration = itk.ElastixRegistrationMethod.New(optical, sar, parameter_object=parameters, log_to_console=False)
    for picture, set_mask in ((pair.optical, registration.SetFixedMask), (pair.sar, registration.SetMovingMask)):
        if np.isnan(picture).any():
            set_mask(itk.image_from_array(data_mask(picture)))
    registration.UpdateLargestPossibleRegion()
    found = registration.GetTransformParameterObject().GetParameterMap(0)
    parameters_found, center = (found[key] for key in ("TransformParameters", "CenterOfRotationPoint"))
    return from_itk([float(text) for text in parameters_found], [float(text) for text in center])


def scikit_image(pair: Pair) -> Floats:
    """scikit-image: one shift for the image, by cross-correlation of gradient magnitudes, to 1/20 px.

    With grey values (the default) the error is 200 px on one of three real pairs; with gradients and without
    normalisation, as its documentation advises for noise, all three are found. The masked variant finds whole pixels
    only; here the gradient of nodata is zero.
    """
    from skimage.filters import sobel
    from skimage.registration import phase_cross_correlation

    optical, sar = (sobel(filled(picture), mask=np.isfinite(picture)) for picture in (pair.optical, pair.sar))
    shift, _, _ = phase_cross_correlation(optical, sar, upsample_factor=20, normalization=None)
    return np.vstack([np.zeros((2, 2)), -shift])


def arosics(pair: Pair) -> Floats:
    """AROSICS: COREG_LOCAL with its defaults; affine fit to the tie points that pass its filters."""
    return arosics_ties_fitted(pair, min_reliability=60)


def arosics_relaxed(pair: Pair) -> Floats:
    """AROSICS with a minimum reliability of 10 % instead of 60 %, as its own warning advises."""
    return arosics_ties_fitted(pair, min_reliability=10)


def arosics_ties_fitted(pair: Pair, min_reliability: float) -> Floats:
    """Return the least-squares affine fit to AROSICS's valid tie points.

    Both images get the same artificial grid of 10 m pixels in memory, also images without CRS. A tie point's shift is
    the correction of the SAR image; the displacement is its negative.
    """
    from arosics import COREG_LOCAL
    from geoarray import GeoArray
    from osgeo import osr

    crs = osr.SpatialReference()
    crs.ImportFromEPSG(32632)
    grid = {"geotransform": (500000, 10, 0, 5000000, 0, -10), "projection": crs.ExportToWkt()}
    optical, sar = (GeoArray(np.nan_to_num(picture, nan=-9999), **grid) for picture in (pair.optical, pair.sar))
    local = COREG_LOCAL(
        optical, sar,
        grid_res=max(50, max(pair.optical.shape) // 20), max_shift=int(np.ceil(pair.max_shift_px)),
        min_reliability=min_reliability, nodata=(-9999, -9999), CPUs=1, progress=False, q=True,
    )  # fmt: skip
    ties = local.CoRegPoints_table
    matched = ties[ties.ABS_SHIFT.ne(local.outFillVal)]
    valid = matched[matched.OUTLIER.eq(False)] if "OUTLIER" in matched else matched[:0]
    if len(valid) < 3:
        number = "no valid tie" if len(valid) == 0 else f"{len(valid)} valid ties"
        raise NoEstimateError(f"{number}: {len(ties)} points, {len(matched)} matched, {len(valid)} pass its filters")
    points = valid[["Y_IM", "X_IM"]].to_numpy(float) - 0.5  # from pixel corners to centres
    shifts = valid[["Y_SHIFT_PX", "X_SHIFT_PX"]].to_numpy(float)
    coefficients: Floats = np.linalg.lstsq(homogeneous(points), -shifts, rcond=None)[0]
    return coefficients


METHODS: dict[str, tuple[str, Method]] = {
    "simpleitk": ("SimpleITK", simpleitk),
    "elastix": ("itk-elastix", elastix),
    "scikit-image": ("scikit-image", scikit_image),
    "arosics": ("arosics", arosics),
    "arosics-relaxed": ("arosics", arosics_relaxed),
}


def from_itk(parameters: Sequence[float], center: Sequence[float]) -> Floats:
    """Return the coefficients of ITK's affine transform M (p - c) + c + t from optical to SAR points (x, y)."""
    matrix = np.array(parameters[:4]).reshape(2, 2)[::-1, ::-1]  # from (x, y) to (y, x)
    translation, middle = np.array(parameters[4:6])[::-1], np.array(center)[::-1]
    return np.vstack([(matrix - np.eye(2)).T, middle + translation - matrix @ middle])


def homogeneous(points: Floats) -> Floats:
    """Return (n, 3) rows [y, x, 1]."""
    return np.column_stack([points, np.ones(len(points))])


def data_mask(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 1 where the image is valid, else 0."""
    return np.isfinite(picture).astype(np.uint8)


def filled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the image with nodata replaced by the mean."""
    return np.where(np.isfinite(picture), picture, np.nanmean(picture)).astype(np.float32)


def read(path: str) -> NDArray[np.float32]:
    """Return a one-band GeoTIFF as float32, NaN for its nodata value."""
    from tifffile import TiffFile

    with TiffFile(path) as file:
        page = file.pages[0]
        values = page.asarray()
        tag = page.tags.get("GDAL_NODATA")
    if values.ndim != 2:
        raise ValueError(f"{path}: expected one band, shape is {values.shape}")
    picture: NDArray[np.float32] = values.astype(np.float32)
    if tag is not None:
        picture[values == np.float64(str(tag.value).strip("\0 "))] = np.nan
    return picture


def made_pair(side: int, rotation_deg: float) -> tuple[Pair, Floats]:
    """Return a texture and its displaced, noisy copy, with the coefficients of the true displacement."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    random = np.random.default_rng(SEED)
    margin = 40
    size = (side + 2 * margin, side + 2 * margin)
    texture = np.sum([sigma * gaussian_filter(random.normal(0, 100, size), sigma) for sigma in (1, 2, 4, 8)], axis=0)
    angle, middle = np.deg2rad(rotation_deg), (side - 1) / 2 * np.ones(2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([3.4, -2.6])
    pixels = np.indices((side, side)).reshape(2, -1).T
    sources = (pixels - middle - shift) @ turn + middle  # optical point shown by each SAR pixel
    moved = map_coordinates(texture, (sources + margin).T, order=3).reshape(side, side)
    optical = texture[margin:-margin, margin:-margin]
    optical, moved = (picture + random.normal(0, texture.std() / 10, picture.shape) for picture in (optical, moved))
    truth = np.vstack([(turn - np.eye(2)).T, middle + shift - turn @ middle])
    return Pair(optical.astype(np.float32), moved.astype(np.float32), max_shift_px=8), truth


def clairemap(pair: Pair) -> Floats:
    """Return clairemap's displacement with default settings; `registration.py` measures it."""
    from registration import register
    from registration_cases import write

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "optical.tif", Path(folder) / "sar.tif"]
        for path, picture in zip(paths, (pair.optical, pair.sar), strict=True):
            write(path, picture[None], mask=np.isfinite(picture))
        model = register(*paths)[0].model
    at = model.at_places(np.array([[0.0, 0], [1, 0], [0, 1]]))
    return np.vstack([at[1] - at[0], at[2] - at[0], at[0]])


def check(name: str, method: Method) -> float:
    """Return a method's RMSE, pixels, on a shifted and (except for scikit-image) rotated synthetic pair."""
    pair, truth = made_pair(420, 0.0 if name == "scikit-image" else 0.2)
    with quiet():
        coefficients = method(pair)
    points = np.indices((21, 21)).reshape(2, -1).T.astype(np.float64) * 20
    errors = homogeneous(points) @ (coefficients - truth)
    return float(np.sqrt((errors**2).sum(1).mean()))


def estimate(name: str, case: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a case; an error becomes its reason."""
    started = cpu_seconds()
    displacement, reason = None, None
    try:
        pair = Pair(read(case["optical"]), read(case["sar"]), case["max_shift_px"])
        started = cpu_seconds()
        with quiet():
            coefficients = METHODS[name][1](pair)
        displacement = (homogeneous(np.array(case["points"], float).reshape(-1, 2)) @ coefficients).tolist()
    except NoEstimateError as found:
        reason = str(found)
    except Exception as error:  # an error is the tool's result of this case; the other cases run
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[-300:]}"
    result = {"name": case["name"], "displacement": displacement, "cpu_s": cpu_seconds() - started}
    return result if reason is None else {**result, "reason": reason}


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard the output of libraries, compiled ones included, to stdout and stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


def why_missing(name: str) -> str | None:
    """Return why the method cannot run, or None if it can.

    Runs it on a small synthetic pair, which also loads its libraries before the first timed case.
    """
    package, method = METHODS[name]
    try:
        version(package)
        with quiet(), contextlib.suppress(NoEstimateError):
            method(made_pair(256, 0.0)[0])
    except (PackageNotFoundError, ImportError, AttributeError) as error:
        return f"{package} is missing or does not match its libraries ({error}); run `make peers` and check its output"
    return None


def run(name: str, cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the results of all cases."""
    missing = why_missing(name)
    if missing:
        print(missing, file=sys.stderr)
        nothing = [{"name": case["name"], "displacement": None, "reason": missing, "cpu_s": 0.0} for case in cases]
        return {"method": name, "version": None, "cases": nothing}
    return {"method": name, "version": version(METHODS[name][0]), "cases": [estimate(name, case) for case in cases]}


def check_all() -> bool:
    """Print the errors of clairemap and of each installed tool, at the end as JSON; return whether all are small."""
    missing = {name: why for name in METHODS if (why := why_missing(name))}
    present = {"clairemap": clairemap, **{name: METHODS[name][1] for name in METHODS if name not in missing}}
    rmse_px = {name: check(name, method) for name, method in present.items()}
    for name, error_px in rmse_px.items():
        print(f"{name}: RMSE {error_px:.3f} px on a synthetic pair")
    for name, why in missing.items():
        print(f"{name}: not run; {why}")
    print(json.dumps({"rmse_px": rmse_px, "missing": list(missing)}))
    return max(rmse_px.values()) <= CHECK_TOLERANCE_PX


def main() -> None:
    """Run one method on all cases, or check it."""
    if not ONE_THREAD.items() <= os.environ.items():  # libraries read these when they are loaded, so restart
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=METHODS)
    parser.add_argument("--cases", type=Path, help="cases.json")
    parser.add_argument("--results", type=Path, help="results.json to write")
    parser.add_argument("--check", action="store_true", help="print the error on a synthetic pair; fail if it is large")
    parser.add_argument("--quick", action="store_true", help="check clairemap and all installed tools")
    options = parser.parse_args()
    if options.quick:
        sys.exit(not check_all())
    if options.method is None:
        parser.error("--method or --quick is required")
    if options.check:
        error_px = check(options.method, METHODS[options.method][1])
        print(f"{options.method}: RMSE {error_px:.3f} px on a synthetic pair")
        sys.exit(error_px > CHECK_TOLERANCE_PX)
    if not (options.cases and options.results):
        parser.error("--cases and --results, or --check, are required")
    results = run(options.method, json.loads(options.cases.read_text()))
    options.results.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
