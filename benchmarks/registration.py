"""Registration of SAR to optical: control points, rotated images and known warps, compared with four tools.

- `control_point_ratio`: RMSE at the control points of three pairs, divided by the RMSE of an affine
  transformation fitted to these points, which is their own error.
- `srif_…`, shares of 100 rotated image pairs: `good_share` have the verdict good; of these, `good_right` are correct
  (within 3 px); of all pairs, `found_share` are correct.
- `mmim`: RMSE at landmarks, and the verdict.
- `known_warp_…`: median over the scene of the distance between estimated and applied warp, after subtracting the offset
  that the scene had before.
- `peers_…`: other tools with the settings that are best on the three CFOG pairs and la_east. CPU seconds are of one
  thread; only clairemap's include reading.
- `error_vs_simpleitk`, `cpu_vs_arosics`: clairemap over the other tool.
- `cpu_s_8192`, `rss_mb_8192`: a scene of 8192 px; `rss_ratio_4x`: its peak memory over that of 4096 px.

Other tools run in `.venv-peers` (`make peers`). Prints a table, and as its last line one JSON object.

    OMP_NUM_THREADS=1 python benchmarks/registration.py --data FOLDER_WITH_THE_SCENES
    OMP_NUM_THREADS=1 python benchmarks/registration.py --quick
"""

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import rasterio
import scipy
from registration_cases import (
    CFOG,
    WARPED,
    KnownPair,
    control_points,
    expected,
    landmarks,
    places_in,
    root_mean_square,
    turned_frame,
    warps,
    write,
    write_warped,
)  # fmt: skip
from registration_made import make_data

import clairemap
from clairemap.raster.source import RasterSource
from clairemap.registration.estimate import estimate_displacement
from clairemap.registration.result import Fit
from clairemap.settings import OpticalBands, RegistrationSettings, SarBands, SensorBands

PROJECT = Path(__file__).parents[1]
PEERS = ("simpleitk", "elastix", "scikit-image", "arosics", "arosics-relaxed")
BESIDE_PEERS = ("la_east", "whu_opt_sar_1000")
S1_S2 = tuple(name for name in WARPED if name != "whu_opt_sar_1000")
SIDES_PX = (4096, 8192)
QUICK_SIDES_PX = (256, 512)
RIGHT_PX = 3.0
Figures = dict[str, Any]


def main() -> None:
    """Run the benchmark."""
    options = parsed()
    if options.measure:
        print(json.dumps(measured(*options.measure)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            options.data = make_data(Path(folder) / "made")
        figures = {key: value for part in options.parts for key, value in PARTS[part](options, Path(folder)).items()}
    figures["peers"] = versions(options.peers)
    machine = {"python": platform.python_version(), "scipy": scipy.__version__, "clairemap": clairemap.__version__}
    print(json.dumps({**figures, **machine}))


def parsed() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data", help="folder with the scenes")
    parser.add_argument(
        "--peers", type=Path, default=PROJECT / ".venv-peers/bin/python", help="Python of the peers' environment"
    )
    parser.add_argument("--quick", action="store_true", help="small synthetic pairs, one of each kind: a test run")
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), help="default: all")
    parser.add_argument("--measure", nargs=2, type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def register(optical: Path, sar: Path, **settings: Any) -> tuple[Fit, tuple[int, int], float]:  # noqa: ANN401
    """Return a pair's fit, the shape of the optical grid, and CPU seconds."""
    started = time.process_time()
    with RasterSource(optical) as first, RasterSource(sar) as second:
        sensors = SensorBands(
            optical=OpticalBands(bands=bands("o", optical)), sar=SarBands(bands=bands("s", sar), scale="digital")
        )
        fit = estimate_displacement(first, second, sensors, RegistrationSettings(**settings))
        return fit, first.shape, time.process_time() - started


def bands(letter: str, path: Path) -> tuple[str, ...]:
    """Return names of a file's bands."""
    with rasterio.open(path) as file:
        return tuple(f"{letter}{index}" for index in range(file.count))


def control_point_ratio(options: argparse.Namespace, work: Path) -> Figures:
    """Return the RMSE at the control points over their affine residual for each CFOG pair; also print the peers'."""
    pairs = {letter: control_points(options.data / "coreg" / name) for letter, name in CFOG.items()}
    print(f"\n{'control points, RMSE / affine residual':<42}" + "".join(f"{letter:>9}" for letter in pairs))
    fits = {letter: register(pair.optical, pair.sar)[0] for letter, pair in pairs.items()}
    ratios = {letter: pair.rmse_px(fits[letter].model) / pair.affine_residual_px for letter, pair in pairs.items()}
    line("clairemap", ratios.values())
    cases = [case(letter, pair.optical, pair.sar, pair.places, 24, work) for letter, pair in pairs.items()]
    for peer in PEERS:
        found = peer_results(peer, cases, work, options.peers)
        line(peer, (against_points(found[letter], pair) for letter, pair in pairs.items()))
    return {"control_point_ratio": ratios}


def against_points(result: Figures, pair: KnownPair) -> float | None:
    """Return a peer's RMSE at the points over their affine residual."""
    if result["displacement"] is None:
        return None
    return root_mean_square(np.array(result["displacement"]) - pair.offsets) / pair.affine_residual_px


def srif(options: argparse.Namespace, work: Path) -> Figures:
    """Return the number of rotated and resized pairs that are good, and how many of these are right."""
    rows = []
    for number in range(1, 2 if options.quick else 101):
        pair = turned_frame(options.data / "coreg" / "srif", number, work)
        fit, _, seconds = register(pair.optical, pair.sar)
        rows.append((fit.verdict, pair.rmse_px(fit.model), seconds))
        print(f"{pair.name:<42}{fit.verdict:>9}{rows[-1][1]:>9.2f} px{seconds:>8.1f} s", file=sys.stderr)
    good = [error for verdict, error, _ in rows if verdict == "good"]
    right = sum(error <= RIGHT_PX for error in good)
    print(f"\nSRIF, {len(rows)} pairs: {len(good)} good, {right} of these within {RIGHT_PX:g} px")
    print(f"median error of the good {median(good):.2f} px, median CPU {median(row[2] for row in rows):.1f} s")
    return {
        "srif_pairs": len(rows), "srif_good_share": len(good) / len(rows), "srif_good_right": right / len(good),
        "srif_found_share": sum(error <= RIGHT_PX for _, error, _ in rows) / len(rows),
    }  # fmt: skip


def mmim(options: argparse.Namespace, _: Path) -> Figures:
    """Return verdict and RMSE at the landmarks of each MMIM pair."""
    print(f"\n{'MMIM':<42}{'verdict':>9}{'RMSE px':>9}{'affine residual':>18}")
    found = {}
    for name in ("SO1", "SO2", "SO3"):
        pair = landmarks(options.data / "coreg" / f"mmim_{name}")
        fit = register(pair.optical, pair.sar)[0]
        found[name] = {"verdict": fit.verdict, "rmse_px": round(pair.rmse_px(fit.model), 2)}
        print(f"{name:<42}{fit.verdict:>9}{found[name]['rmse_px']:>9}{pair.affine_residual_px:>18.2f}")
    return {"mmim": found}


def known_warps(options: argparse.Namespace, work: Path) -> Figures:
    """Return the errors at known warps over all scenes, the ratios to the peers, and the split-half errors."""
    errors: dict[str, list[float]] = {}
    halves: dict[str, float] = {}
    with_peers: list[Figures] = []
    print(f"\n{'known warps, median error px':<42}{'px':>9}{'model':>13}{'verdict':>9}{'CPU s':>8}")
    for scene in WARPED[:1] if options.quick else WARPED:
        optical, sar = (options.data / scene / f"{role}.tif" for role in ("optical", "sar"))
        places = places_in(optical, sar)
        own, shape, seconds = register(optical, sar)
        if scene in S1_S2 and own.quality.split_half_px is not None:
            halves[scene] = own.quality.split_half_px
        known: Figures = {"": (sar, None, own, seconds)}
        for label, warp in warps(shape):
            warped = work / f"{scene}_{label}.tif"
            write_warped(sar, warp, warped)
            fit, _, seconds = register(optical, warped)
            known[label] = (warped, warp, fit, seconds)
            base = own if fit.model.kind == own.model.kind else register(optical, sar, model=fit.model.kind)[0]
            apart = fit.model.at_places(places) - expected(base.model, warp, places)
            error = float(np.median(np.hypot(*apart.T)))
            errors.setdefault(label, []).append(error)
            print(f"{scene + ', ' + label:<42}{error:>9.3f}{fit.model.kind:>13}{fit.verdict:>9}{seconds:>8.1f}")
            known[label] = (warped, warp, fit, seconds, error)
        if scene in BESIDE_PEERS:
            with_peers += peers_on_warps(scene, optical, known, places, shape, work, options.peers)
        for path in work.glob(f"{scene}_*.tif"):
            path.unlink()
    everything = [error for each in errors.values() for error in each]
    print(f"{'all':<42}{median(everything):>9.3f}; largest {max(everything):.3f}")
    print("split-half px: " + ", ".join(f"{scene} {value:.3f}" for scene, value in halves.items()))
    return {
        "known_warp_median_px": median(everything), "known_warp_largest_px": max(everything),
        "known_warp_by_kind_px": {label: round(median(each), 4) for label, each in errors.items()},
        "split_half_px": max(halves.values()), "split_half_px_by_scene": {k: round(v, 3) for k, v in halves.items()},
        **ratios_to_peers(with_peers),
    }  # fmt: skip


def peers_on_warps(
    scene: str, optical: Path, known: Figures, places: np.ndarray, shape: tuple[int, int], work: Path, peers: Path
) -> list[Figures]:
    """Return error and CPU seconds per Mpx of all tools on the warps of a scene."""
    chosen = ["", "shift 2.7 px", "rotation 0.5°", "scale 1.01"]
    mpx = shape[0] * shape[1] / 1e6
    rows = [
        {"scene": scene, "tool": "clairemap", "warp": label, "error": known[label][4], "cpu": known[label][3] / mpx}
        for label in chosen[1:]
    ]
    cases = [case(label, optical, known[label][0], places, 24, work) for label in chosen]
    for peer in PEERS:
        found = peer_results(peer, cases, work, peers)
        own = found[""]["displacement"]
        for label in chosen[1:]:
            result = found[label]
            error = None
            if own is not None and result["displacement"] is not None:
                base = np.array(own)
                truth = base + known[label][1].at_places(places + base)
                error = float(np.median(np.hypot(*(np.array(result["displacement"]) - truth).T)))
            cpu = None if result["cpu_s"] is None else result["cpu_s"] / mpx
            rows.append({"scene": scene, "tool": peer, "warp": label, "error": error, "cpu": cpu})
    return rows


def ratios_to_peers(rows: list[Figures]) -> Figures:
    """Print a table of the tools; return our error over SimpleITK's and our CPU time over that of AROSICS."""
    print(f"\n{'known warps, with the peers':<42}{'median px':>10}{'largest px':>11}{'CPU s/Mpx':>10}{'found':>8}")
    summary = {}
    for tool in ("clairemap", *PEERS):
        of_tool = [row for row in rows if row["tool"] == tool]
        errors = [row["error"] for row in of_tool if row["error"] is not None]
        times = [row["cpu"] for row in of_tool if row["cpu"] is not None]
        summary[tool] = (median(errors) if errors else None, median(times) if times else None)
        largest = f"{max(errors):.3f}" if errors else "-"
        shown = [f"{value:.3f}" if value is not None else "-" for value in summary[tool]]
        print(f"{tool:<42}{shown[0]:>10}{largest:>11}{shown[1]:>10}{f'{len(errors)}/{len(of_tool)}':>8}")
    return {
        "error_vs_simpleitk": ratio(summary["clairemap"][0], summary["simpleitk"][0]),
        "cpu_vs_arosics": ratio(summary["clairemap"][1], summary["arosics"][1]),
        "peers_error_px": {tool: value[0] for tool, value in summary.items()},
        "peers_cpu_s_per_mpx": {tool: value[1] for tool, value in summary.items()},
    }


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return the ratio; None if a peer is missing."""
    return None if ours is None or theirs is None else ours / theirs


def case(name: str, optical: Path, sar: Path, places: np.ndarray, max_shift_px: int, work: Path) -> Figures:
    """Return a case for the peers: one grey band of each image, cut to a common size, NaN where not valid."""
    grey = []
    with rasterio.open(optical) as first, rasterio.open(sar) as second:
        height, width = min(first.height, second.height), min(first.width, second.width)
        for role, file in (("optical", first), ("sar", second)):
            values = file.read(out_dtype=np.float32).mean(axis=0)[:height, :width]
            values[file.dataset_mask()[:height, :width] == 0] = np.nan
            path = work / f"{optical.parent.name}_{name}_{role}_grey.tif"
            grey.append(str(write(path, values[None])))
    points = places.round(3).tolist()
    return {"name": name, "optical": grey[0], "sar": grey[1], "points": points, "max_shift_px": max_shift_px}


def peer_results(peer: str, cases: list[Figures], work: Path, python: Path) -> Figures:
    """Return a peer's results by case; if it cannot run, print why and return empty results."""
    listed, results = work / "cases.json", work / "results.json"
    listed.write_text(json.dumps(cases))
    results.unlink(missing_ok=True)
    if python.exists():
        command: list[str | Path] = [python, PROJECT / "benchmarks" / "registration_peers.py", "--method", peer]
        subprocess.run([*command, "--cases", listed, "--results", results], check=False, stdout=sys.stderr)
    if not results.exists():
        print(f"{peer}: missing ({python} cannot run it; run make peers)")
        return {each["name"]: {"displacement": None, "cpu_s": None} for each in cases}
    return {each["name"]: each for each in json.loads(results.read_text())["cases"]}


def versions(python: Path) -> str:
    """Return the peers' versions."""
    if not python.exists():
        return "missing"
    names = ("SimpleITK", "itk-elastix", "scikit-image", "arosics")
    code = (
        "from importlib.metadata import version, PackageNotFoundError\n"
        f"for name in {names}:\n"
        "    try: print(name, version(name), end=', ')\n"
        "    except PackageNotFoundError: print(name, 'missing', end=', ')\n"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.rstrip(", ")


def cost(options: argparse.Namespace, work: Path) -> Figures:
    """Return CPU seconds at 8192² px and the growth of peak memory from a quarter of that area."""
    print(f"\n{'cost':<42}{'CPU s':>9}{'peak MB':>9}")
    found = {}
    sides = QUICK_SIDES_PX if options.quick else SIDES_PX
    for side in sides:
        scene = options.data / "la_east"
        paths = [repeated(scene / f"{role}.tif", side, work / f"{role}_{side}.tif") for role in ("optical", "sar")]
        command: list[str | Path] = [sys.executable, __file__, "--measure", *paths]
        found[side] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        label = f"{side}² px, {found[side]['verdict']}"
        print(f"{label:<42}{found[side]['cpu_s']:>9.1f}{found[side]['rss_mb']:>9.0f}")
    small, large = (found[side] for side in sides)
    return {
        "cpu_s_8192": large["cpu_s"],
        "rss_mb_8192": large["rss_mb"],
        "rss_ratio_4x": large["rss_mb"] / small["rss_mb"],
    }


def repeated(source: Path, side: int, target: Path) -> Path:
    """Write copies of a raster side by side up to the given side."""
    with rasterio.open(source) as file:
        values = file.read()
        place = {"transform": file.transform, "crs": file.crs}
    times = [math.ceil(side / each) for each in values.shape[1:]]
    return write(target, np.tile(values, (1, *times))[:, :side, :side], **place)


def measured(optical: Path, sar: Path) -> Figures:
    """Return the cost of registering a pair in this process."""
    fit, _, seconds = register(optical, sar)
    # Not getrusage: its maximum is inherited from the parent process.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"cpu_s": seconds, "rss_mb": int(status["VmHWM"].split()[0]) / 1024, "verdict": fit.verdict}


def line(label: str, values: Iterable[float | None]) -> None:
    """Print a row of ratios; a dash for None."""
    print(f"{label:<42}" + "".join(f"{value:>9.3f}" if value is not None else f"{'-':>9}" for value in values))


PARTS: dict[str, Callable[[argparse.Namespace, Path], Figures]] = {
    "control_points": control_point_ratio, "srif": srif, "mmim": mmim, "known_warps": known_warps, "cost": cost,
}  # fmt: skip


if __name__ == "__main__":
    main()
