"""Training, mapping and explaining on one GPU: comparisons with the CPU, speed and utilisation.

- `network`, `rift_equal`, `ddp`, `mapping_equal`: differences from the CPU, each with its tolerance.
- `steps_…`: whole optimiser steps on 32 crops of 256 px that are already on the GPU. Training uses bfloat16 there;
  float32 is PyTorch's default (TF32 in convolutions only).
- `share_of_matmul`: operations of matrix products and convolutions per second, over the rate of square matrix products
  (8192 x 8192) of the same number type in the same run.
- `mapping`: `predict_scene` with size small on a simulated scene of 8192 x 8192 px, in windows of the chosen size and
  in one window; `cuDNN`: with cuDNN's depthwise convolutions, which build a plan for each window size.
- `busy_share`: share of the time in which a kernel or a copy runs.
- `failed`: a comparison failed or the section reached its time limit; `left_out`: the total time limit was reached.

A failed section is recorded with its error, the others still run, and the exit code is 1. Prints figures as they
come, and as its last line one JSON object; with --result (default on a GPU without --quick:
benchmarks/results/gpu.json) the file is updated after each section.

    python benchmarks/gpu.py [--device cuda|cpu] [--quick] [--sections mapping,phi] [--minutes 8] [--result FILE]
"""

import argparse
import json
import logging
import math
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import gpu_mapping
import gpu_reading
import gpu_training
import numpy as np
import torch
from gpu_bench import Bench, Figures, limited

import clairemap

RESULT = Path(__file__).parent / "results" / "gpu.json"
NOT_SHOWN = ("seconds", "top_ms")


class Section(NamedTuple):
    """Function of a section; on a GPU its time limit and the minimum time to start it, seconds."""

    run: Callable[[Bench, Figures], None]
    limit_s: float
    least_s: float = 2


SECTIONS = {
    "matmul": Section(gpu_training.matmul, 10),
    "network": Section(gpu_training.network, 70),
    "rift_equal": Section(gpu_training.rift_equal, 10),
    "ddp": Section(gpu_training.ddp, 15),
    "mapping_equal": Section(gpu_mapping.equal, 25),
    "resume": Section(gpu_training.resume, 25),
    "steps_base": Section(gpu_training.steps("base", ("bfloat16",)), 35),
    "steps_small": Section(gpu_training.steps("small", ("bfloat16",)), 25),
    "steps_tiny": Section(gpu_training.steps("tiny", ("bfloat16",)), 20),
    "kernels": Section(gpu_training.kernels, 15),
    "mapping": Section(gpu_mapping.speed, 50, 20),
    "mapping_busy": Section(gpu_mapping.busy, 25, 10),
    "data_wait": Section(gpu_training.data_wait, 110, 20),
    "phi": Section(gpu_mapping.phi, 30, 15),
    "rift_speed": Section(gpu_training.rift_speed, 10, 3),
    "steps_base_float32": Section(gpu_training.steps("base", ("float32",)), 30, 15),
    "compiled": Section(gpu_training.steps("base", ("bfloat16 compiled",)), 120, 40),
    "rift_compiled": Section(gpu_training.rift_compiled, 40, 25),
    "layers": Section(gpu_training.layers, 30, 10),
    "reading": Section(gpu_reading.reading, 40, 20),
}
"""In order: first comparisons, then speed, last sections that may take long to compile."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sections and return the exit code: 1 if one failed."""
    options = parsed(arguments)
    logging.getLogger("clairemap").setLevel(logging.ERROR)
    device = torch.device(options.device, 0) if options.device == "cuda" else torch.device("cpu")
    chosen = {name: SECTIONS[name] for name in options.sections}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        bench = Bench(device, options.quick, Path(folder))
        found = run_sections(bench, chosen, options.minutes, options.result)
    print(text(found))
    return 1 if found["failed"] else 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--quick", action="store_true", help="small shapes, few repetitions: a test run")
    parser.add_argument(
        "--sections", type=names, default=tuple(SECTIONS), help=f"comma-separated list from {','.join(SECTIONS)}"
    )
    parser.add_argument("--minutes", type=float, default=8, help="time limit of the whole run")
    parser.add_argument("--result", type=Path, help="file for the figures")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU here")
    if options.result is None and options.device == "cuda" and not options.quick:
        options.result = RESULT
    return options


def names(listed: str) -> tuple[str, ...]:
    """Return the section names of a comma-separated list."""
    found = tuple(name for name in listed.split(",") if name)
    if unknown := sorted(set(found) - set(SECTIONS)):
        raise argparse.ArgumentTypeError(f"unknown sections: {', '.join(unknown)} (known: {', '.join(SECTIONS)})")
    return found


def run_sections(bench: Bench, sections: Mapping[str, Section], minutes: float, result: Path | None) -> Figures:
    """Return the figures of all sections; `failed` has the error of each failed one, `left_out` those without time.

    Args:
        bench: device, and folder for data.
        sections: sections by name, in order.
        minutes: time limit of the whole run; the last section gets the remaining time.
        result: file to write after each section.
    """
    end = time.monotonic() + 60 * minutes
    found: Figures = {**machine(bench), "failed": {}, "left_out": []}
    for name, section in sections.items():
        left = end - time.monotonic()
        if left < (2 if bench.quick else section.least_s):
            found["left_out"].append(name)
            print(f"{name}: left out, {max(left, 0):.0f} s of {minutes:g} minutes are left", flush=True)
            continue
        figures = found[name] = {}
        began = time.monotonic()
        try:
            with limited(min(section.limit_s, left)):
                section.run(bench, figures)
        except Exception as error:  # recorded; the other sections run, and the exit code is 1
            found["failed"][name] = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        figures["seconds"] = time.monotonic() - began
        bench.free()
        show(name, figures, "FAILED" if name in found["failed"] else "done")
        write(found, result)
    write(found, result)
    return found


def write(found: Figures, result: Path | None) -> None:
    """Write the figures to the result file, if there is one."""
    if result is not None:
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text(text(found) + "\n", encoding="utf-8")


def show(name: str, figures: Figures, state: str) -> None:
    """Print a section's figures, one line per group."""
    print(f"\n{name}: {state} in {figures['seconds']:.1f} s")
    plain = {key: value for key, value in figures.items() if not isinstance(value, dict)}
    groups = {key: value for key, value in figures.items() if isinstance(value, dict) and key not in NOT_SHOWN}
    for label, group in {"": plain, **groups}.items():
        listed = [f"{key} {shown(value)}" for key, value in group.items() if key not in NOT_SHOWN]
        if listed:
            print(f"  {label + ': ' if label else ''}{', '.join(listed)}")
    sys.stdout.flush()


def shown(value: object) -> str:
    """Return a figure with four significant digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine(bench: Bench) -> Figures:
    """Return the device and the versions used."""
    return {
        "gpu": torch.cuda.get_device_name(bench.device) if bench.is_cuda else None,
        "cpus": os.cpu_count(),
        "quick": bench.quick,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "clairemap": clairemap.__version__,
    }


def text(found: Figures) -> str:
    """Return the figures as one line of JSON."""
    return json.dumps(plain(found), allow_nan=False)


def plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value that JSON can represent: NumPy and PyTorch numbers as plain numbers, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic | torch.Tensor):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    sys.exit(main())
