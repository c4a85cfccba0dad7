"""Errors in a scene's values that the radiometry check finds, and correct scenes that it stops.

Each scene passes `tile_scene` and `check_radiometry`; an error is found if either stops the scene. The scenes are real
ones of six groups of sensors and simulated ones of the demo.

- `gate_found`: share of errors found, one half of a scene against the other half as training scene.
- `gate_found_elsewhere`: share found, the scene against all other scenes of its sensor, often on another continent.
- `gate_false`: share of correct scenes that are stopped: each half against the other, each scene against all others of
  its sensor and against each single one. `mild_share`: share reported as mild.
- `found_in_the_data`: share found of the errors in two scenes as published, TerraMesh 433D_629L_3_1 (its 12 bands start
  near 1,000, its neighbours' near 0) and aberystwyth (reflectances a tenth of the others').
- `faults`: number of simulated errors: Sentinel-2's offset of 1,000; digital numbers as reflectance and the reverse;
  8-bit images stretched to 16 bits or 0..1; decibels as linear power and the reverse; amplitude as power; decibels
  times 100; other band orders.

Prints a table, and as its last line one JSON object.

    python benchmarks/radiometry.py [--data ../shared/data] [--quick]
"""

import argparse
import importlib.util
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from clairemap.artefacts.radiometry import Radiometry, TrainingRadiometry, read_radiometry
from clairemap.artefacts.registration import write_registration
from clairemap.errors import ClairemapError
from clairemap.registration.record import registration_of
from clairemap.registration.result import as_delivered
from clairemap.settings import Sensor, load_settings
from clairemap.simulate.region import DEMO_SCENES, LANDSCAPE_SEED
from clairemap.simulate.scene import simulate_scene
from clairemap.stages import TileScene, stage_json
from clairemap.tiles.radiometry_comparison import compare

PROJECT = Path(__file__).parents[1]
LARGEST_PX = 1024
Values = NDArray[Any]
Change = Callable[[Values], Values]
SENSORS: tuple[Sensor, ...] = ("optical", "sar")

S2_L2A = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
S2_L1C = (*S2_L2A[:10], "B10", *S2_L2A[10:])
S2_TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
S2_FOUR = ("B04", "B03", "B02", "B08")
FAULTY = {"433D_629L_3_1": lambda v: v - 1000, "aberystwyth": lambda v: v * 10}
"""Corrections of scenes that are delivered with faults."""


@dataclass(frozen=True)
class Picture:
    """A sensor's bands (band, y, x) and their validity (y, x)."""

    values: Values
    valid: NDArray[np.bool_]

    def cut(self, half: int) -> "Picture":
        """Return the left (0) or right (1) half."""
        middle = self.valid.shape[1] // 2
        columns = slice(None, middle) if half == 0 else slice(middle, None)
        return Picture(self.values[:, :, columns], self.valid[:, columns])

    def changed(self, change: Change) -> "Picture":
        """Return the picture with changed values."""
        return Picture(change(self.values.astype(np.float64)), self.valid)


@dataclass(frozen=True)
class Group:
    """Scenes of one sensor, and possible faults of its values."""

    name: str
    sensor: Sensor
    scale: str
    scenes: Mapping[str, Picture]
    faults: Mapping[str, Change]
    faulty: Mapping[str, Picture] = field(default_factory=dict)


def read(path: Path, indexes: Sequence[int] | None = None, nodata: float | None = None) -> Picture:
    """Return the centre of a raster, at most `LARGEST_PX` on each side."""
    with rasterio.open(path) as dataset:
        height, width = min(dataset.height, LARGEST_PX), min(dataset.width, LARGEST_PX)
        window = rasterio.windows.Window((dataset.width - width) // 2, (dataset.height - height) // 2, width, height)
        values = dataset.read(indexes, window=window)
        valid = dataset.read_masks(1, window=window) > 0
    if nodata is not None:
        valid &= ~(values == nodata).all(axis=0)
    return Picture(values, valid & np.isfinite(values).all(axis=0))


def orders(bands: int) -> dict[str, Change]:
    """Return common wrong band orders: reversed, last band first."""
    known: dict[str, Change] = {"order reversed": lambda v: v[::-1]}
    if bands > 2:
        known["last band first"] = lambda v: np.roll(v, 1, axis=0)
    return known


def dn_faults(bands: int) -> dict[str, Change]:
    """Return faults of digital numbers (10,000 = reflectance 1)."""
    return {
        "offset 1,000": lambda v: v + 1000,
        "reflectance": lambda v: v / 10_000,
        "reflectance with offset": lambda v: v / 10_000 - 0.1,
        "times 10": lambda v: v * 10,
        **orders(bands),
    }


def picture_faults(bands: int) -> dict[str, Change]:
    """Return faults of 8-bit images."""
    stretched: dict[str, Change] = {"16 bits": lambda v: v * 257, "0 to 1": lambda v: v / 255}
    return stretched | (orders(bands) if bands > 1 else {})


DB_FAULTS: dict[str, Change] = {
    "linear power as dB": lambda v: 10 ** (v / 10),
    "amplitude for power": lambda v: v / 2,
    "power for amplitude": lambda v: v * 2,
    "dB times 100": lambda v: np.round(v * 100),
    **orders(2),
}
LINEAR_FAULTS: dict[str, Change] = {
    "dB as linear power": lambda v: 10 * np.log10(np.maximum(v, 1e-6)),
    "amplitude for power": np.sqrt,
    **orders(2),
}


def groups(data: Path | None, demo: Path) -> Iterator[Group]:
    """Yield the available groups of scenes."""
    if data is not None:
        yield from real_groups(data)
    names = sorted(path.name for path in demo.iterdir())
    yield Group(
        "made optical", "optical", "", {name: read(demo / name / "optical.tif") for name in names}, dn_faults(4)
    )
    yield Group(
        "made SAR", "sar", "linear_power", {name: read(demo / name / "sar.tif") for name in names}, LINEAR_FAULTS
    )


def real_groups(data: Path) -> Iterator[Group]:
    """Yield the groups of real scenes."""
    cities, floods = ("la_west", "la_east"), tuple(f"flood_{letter}" for letter in "abcdef")
    chips = sorted(path.name for path in (data / "whu_opt_sar_figures").iterdir())
    for name, scenes, nodata in (("la", cities, 0), ("flood", floods, None)):
        yield pictures(name, "optical", {one: read(data / one / "optical.tif", None, nodata) for one in scenes})
        yield pictures(name, "sar", {one: read(data / one / "sar.tif", None, nodata) for one in scenes})
    figures = data / "whu_opt_sar_figures"
    for sensor in SENSORS:
        yield pictures("whu", sensor, {one: read(figures / one / f"{sensor}.tif") for one in chips})
    mesh = sorted(path.stem for path in (data / "terramesh" / "S2L2A").glob("*.tif"))
    spain = data / "sen1floods11_spain"
    yield digital_numbers("Sentinel-2, 10 bands", data, mesh, S2_TEN, {})
    l1c = {"spain": read(spain / "optical.tif", [S2_L1C.index(band) + 1 for band in S2_FOUR])}
    yield digital_numbers("Sentinel-2, 4 bands", data, mesh, S2_FOUR, l1c)
    radar = {one: read(data / "terramesh" / "S1RTC" / f"{one}.tif") for one in mesh}
    yield Group("Sentinel-1", "sar", "db", radar | {"spain": read(spain / "sar.tif")}, DB_FAULTS)


def pictures(name: str, sensor: Sensor, scenes: dict[str, Picture]) -> Group:
    """Return a group of 8-bit images."""
    bands = len(next(iter(scenes.values())).values)
    return Group(f"{name} {sensor}", sensor, "digital", scenes, picture_faults(bands))


def digital_numbers(
    name: str, data: Path, mesh: Sequence[str], bands: tuple[str, ...], more: Mapping[str, Picture]
) -> Group:
    """Return the Sentinel-2 scenes; scenes delivered with faults are corrected and listed separately."""
    chosen = [S2_L2A.index(band) + 1 for band in bands]
    scenes = {one: read(data / "terramesh" / "S2L2A" / f"{one}.tif", chosen) for one in mesh}
    farm = data / "aberystwyth" / "optical.tif"
    scenes["aberystwyth"] = read(farm, [S2_TEN.index(band) + 1 for band in bands], 0)
    corrected = {one: scene.changed(FAULTY[one]) if one in FAULTY else scene for one, scene in scenes.items()}
    faulty = {one: scene for one, scene in scenes.items() if one in FAULTY}
    return Group(name, "optical", "", {**corrected, **more}, dn_faults(len(bands)), faulty)


class Describer:
    """Computes the radiometry of pictures with `tile_scene`."""

    def __init__(self, folder: Path) -> None:
        """Use a folder for temporary files."""
        self._folder = folder
        spec = importlib.util.spec_from_file_location("tile_scene", PROJECT / "workflow" / "scripts" / "tile_scene.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._stage = module.tile_scene

    def radiometry(self, group: Group, name: str, picture: Picture) -> Radiometry | None:
        """Return a picture's radiometry, or None if the stage rejects the picture."""
        source = self._folder / "source.tif"
        write(source, picture)
        write_registration(self._folder / "registration.json", registration_of(name, as_delivered(), None), {})
        paths = {key: self._folder / file for key, file in OUTPUTS.items()}
        try:
            self._stage(
                scene=name, registration=self._folder / "registration.json", settings=settings(group),
                **{group.sensor: source}, **paths,
            )  # fmt: skip
        except ClairemapError as error:
            logging.getLogger(__name__).info("%s: %s", name, error)
            return None
        return read_radiometry(paths["radiometry"])


OUTPUTS = {"pair": "pair.zarr", "manifest": "pair.json", "tiles": "tiles.parquet", "radiometry": "radiometry.json"}


def settings(group: Group) -> str:
    """Return the stage's settings for a group."""
    names = [f"band {number}" for number in range(1, len(next(iter(group.scenes.values())).values) + 1)]
    sensors: dict[str, Any] = {group.sensor: {"bands": names}}
    if group.sensor == "sar":
        sensors["sar"] |= {"scale": group.scale, "speckle_filter": "none"}
    return stage_json(load_settings({"sensors": sensors}), TileScene)


def write(path: Path, picture: Picture) -> None:
    """Write a picture: integers as uint16 or int16 where they fit, other values as float32."""
    values = np.where(picture.valid, picture.values, 0)
    whole = bool(np.array_equal(values, np.round(values)))
    kind = "float32" if not whole or np.abs(values).max() > 65535 else "uint16" if values.min() >= 0 else "int16"
    kind = "uint8" if whole and values.min() >= 0 and values.max() <= 255 else kind
    count, height, width = values.shape
    profile = {"count": count, "height": height, "width": width, "dtype": kind, "driver": "GTiff"}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", crs="EPSG:32633", transform=from_origin(5e5, 5e6, 10, 10), **profile) as target,
    ):
        target.write(values.astype(kind))
        target.write_mask(picture.valid)


def is_stopped(scene: Radiometry | None, training: Sequence[Radiometry | None]) -> tuple[bool, bool]:
    """Return whether a scene is rejected, and whether it is reported as mild."""
    if scene is None:
        return True, False
    known = tuple(one.model_copy(update={"scene": f"training {i}"}) for i, one in enumerate(training) if one)
    verdicts = [found.verdict for found in compare(scene, TrainingRadiometry(scenes=known)).values()]
    return "mismatch" in verdicts, "mild" in verdicts


def tried(group: Group, describer: Describer) -> Counter[str]:
    """Return the counts of a group."""
    names = list(group.scenes)
    described = cache(lambda name, half, fault: describer.radiometry(group, name, _made(group, name, half, fault)))
    count: Counter[str] = Counter()

    def add(kind: str, what: str, scene: Radiometry | None, training: Sequence[Radiometry | None]) -> None:
        stopped, mild = is_stopped(scene, training)
        count[kind] += stopped
        count[f"{kind} of"] += 1
        count["mild"] += mild and kind == "false"
        if stopped == (kind == "false"):
            print(f"  {group.name}: {what}, {'stopped' if stopped else 'missed'} ({kind})", file=sys.stderr)

    for name in names:
        others = [described(other, None, None) for other in names if other != name]
        for half in (0, 1):
            add("false", f"{name}, halves", described(name, half, None), [described(name, 1 - half, None)])
            for fault in group.faults:
                add("found", f"{name}, {fault}", described(name, half, fault), [described(name, 1 - half, None)])
        for training in [others, *([other] for other in others)] if others else []:
            add("false", name, described(name, None, None), training)
        for fault in group.faults if others else ():
            add("elsewhere", f"{name}, {fault}", described(name, None, fault), others)
    true = [described(name, None, None) for name in names]
    for name, picture in group.faulty.items():
        add("in the data", name, describer.radiometry(group, name, picture), true)
    return count


def _made(group: Group, name: str, half: int | None, fault: str | None) -> Picture:
    picture = group.scenes[name] if half is None else group.scenes[name].cut(half)
    return picture if fault is None else picture.changed(group.faults[fault])


def make_demo(folder: Path, quick: bool) -> Path:
    """Write the demo scenes with 512 px each; only two of them if quick."""
    for scene in DEMO_SCENES[: 2 if quick else None]:
        simulate_scene(replace(scene.recipe, size_px=512), folder / scene.recipe.name, LANDSCAPE_SEED, {})
    return folder


def share(count: Counter[str], kind: str) -> float | None:
    """Return the fraction of a kind that was rejected; None if there was none."""
    return count[kind] / count[f"{kind} of"] if count[f"{kind} of"] else None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=PROJECT.parent / "shared" / "data", help="folder with the scenes")
    parser.add_argument("--quick", action="store_true", help="only two simulated scenes: a test run")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        demo = make_demo(Path(name) / "demo", arguments.quick)
        describer = Describer(Path(name))
        for group in groups(None if arguments.quick else arguments.data, demo):
            count = tried(group, describer)
            shown = ", ".join(f"{kind} {count[kind]}/{count[f'{kind} of']}" for kind in KINDS if count[f"{kind} of"])
            print(f"{group.name:22} {shown}, mild {count['mild']}", flush=True)
            total += count
    print(json.dumps(figures(total)))


KINDS = ("found", "elsewhere", "false", "in the data")


def figures(total: Counter[str]) -> dict[str, Any]:
    """Return the published figures."""
    return {
        "gate_found": share(total, "found"),
        "gate_found_elsewhere": share(total, "elsewhere"),
        "gate_false": share(total, "false"),
        "mild_share": total["mild"] / total["false of"],
        "found_in_the_data": share(total, "in the data"),
        "faults": total["found of"],
        "comparisons_of_true_scenes": total["false of"],
    }


if __name__ == "__main__":
    main()
