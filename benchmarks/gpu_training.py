"""Sections of gpu.py about training: comparisons with the CPU, DDP, resuming, steps, profile, data wait, RIFT."""

import contextlib
import copy
import functools
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import gpu_made as made
import torch
from gpu_bench import Bench, Figures, check, off_by, operations, profiled
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from clairemap.artefacts.model_card import BandScale
from clairemap.errors import TimeBudgetError
from clairemap.nets.claire import ClaireOutput
from clairemap.nets.halo import full_precision
from clairemap.tiles.dataset import CropDataset, TrainingSample
from clairemap.tiles.sampling import CropSampler
from clairemap.training.batches import BandScales, batches, batches_of_workers
from clairemap.training.distributed import Processes, usable_cpus
from clairemap.training.loop import train
from clairemap.training.model import new_network, new_optimiser
from clairemap.training.objective import Objective
from clairemap.training.step import StepContext, accumulate_gradient, train_step

SIZES = ("tiny", "small", "base")
MATMUL_SIDE = 8192


class InFloat32(nn.Module):
    """A network without the training step's autocast."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *images: Tensor, **chosen: bool) -> ClaireOutput:
        """Return the network's output."""
        with torch.autocast(images[0].device.type, enabled=False):
            found: ClaireOutput = self.network(*images, **chosen)
        return found


def matmul(bench: Bench, figures: Figures) -> None:
    """Measure the rate of square matrix products: bfloat16, float32 without TF32, float32 with TF32."""
    side = 256 if bench.quick else MATMUL_SIDE
    figures["side"] = side
    for name, dtype, tf32 in (
        ("bfloat16", torch.bfloat16, False),
        ("float32", torch.float32, False),
        ("tf32", torch.float32, True),
    ):
        a, b = (torch.randn(side, side, device=bench.device, dtype=dtype) for _ in range(2))
        with tf32_products(tf32):
            bench.rates[name] = 2 * side**3 / bench.seconds(functools.partial(torch.mm, a, b), at_most=30)
        figures[f"tflops_{name}"] = bench.rates[name] / 1e12


@contextlib.contextmanager
def tf32_products(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 in matrix products within the context."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def objective(device: torch.device) -> Objective:
    """Return what training minimises with the default settings."""
    settings = made.training_settings()
    return Objective(made.rift().to(device), settings.alone_weight, settings.gate_weight)


def gradient(network: nn.Module, batch: TrainingSample, parts: int = 1) -> tuple[Tensor, Tensor]:
    """Return the loss (total, focal, Tversky) and the gradient of all weights, computed by the training code."""
    loss = accumulate_gradient(network, objective(batch.target.device), batch, parts)
    return torch.stack(loss), torch.cat(
        [weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]
    )


def network(bench: Bench, figures: Figures) -> None:
    """Compare logits, loss and gradient with the CPU in float32; compare bfloat16 with float32."""
    for size in SIZES[:1] if bench.quick else SIZES[:2]:
        on_cpu = made.network(size)
        on_device = copy.deepcopy(on_cpu).to(bench.device)
        batch = made.batch(2, 128)
        moved = batch.to(bench.device)
        of = figures[size] = {}
        with full_precision():
            with torch.no_grad():
                check(of, "logits", off_by(on_device(*moved[:4]).logits, on_cpu(*batch[:4]).logits), 1e-4)
            expected_loss, expected = gradient(InFloat32(on_cpu), batch)
            loss, found = gradient(InFloat32(on_device), moved)
        check(of, "loss", off_by(loss, expected_loss), 1e-5)
        check(of, "gradient", off_by(found, expected), 1e-3)
        on_device.zero_grad()
        loss, found = gradient(on_device, moved)  # as in training: in bfloat16 on a GPU
        check(of, "loss_bfloat16", off_by(loss, expected_loss), 0.05)
        cosine = nn.functional.cosine_similarity(found.float().cpu(), expected.float(), dim=0).item()
        check(of, "gradient_bfloat16_one_minus_cosine", 1 - cosine, 0.05)


def rift_equal(bench: Bench, figures: Figures) -> None:
    """Compare RIFT and its gradient with the CPU, from float32 and from bfloat16 logits."""
    target = made.batch(4, 128).target
    logits = 2 * torch.randn(4, len(made.CLASS_PX), 128, 128, generator=torch.Generator().manual_seed(2))
    for dtype, limit in ((torch.float32, 1e-5), (torch.bfloat16, 1e-2)):
        results = [rift_gradient(made.rift(), logits, target, place, dtype) for place in ("cpu", bench.device)]
        (expected_loss, expected), (loss, found) = results
        name = str(dtype).removeprefix("torch.")
        check(figures, f"loss_{name}", off_by(loss, expected_loss), limit)
        check(figures, f"gradient_{name}", off_by(found, expected), limit)


def rift_gradient(
    rift: nn.Module, logits: Tensor, target: Tensor, place: str | torch.device, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Return RIFT's total loss and the gradient of the logits, computed on a device."""
    leaf = logits.to(place, dtype).detach().requires_grad_()
    total = rift.to(place)(leaf, target.to(place)).total
    (found,) = torch.autograd.grad(total, leaf)
    return total.detach(), found


def ddp(bench: Bench, figures: Figures) -> None:
    """Compare loss and gradient with and without DDP, in 1 and 2 parts (one process; NCCL, gloo on a CPU)."""
    backend = "nccl" if bench.is_cuda else "gloo"
    figures["backend"] = backend
    batch = made.batch(4, 128).to(bench.device)
    with full_precision():
        expected_loss, expected = gradient(InFloat32(made.network("tiny").to(bench.device)), batch)
        meeting = f"file://{bench.folder}/meeting-{time.monotonic_ns()}"
        distributed.init_process_group(backend, init_method=meeting, rank=0, world_size=1)
        try:
            for parts in (1, 2):
                alone = InFloat32(made.network("tiny").to(bench.device))
                loss, found = gradient(DistributedDataParallel(alone, gradient_as_bucket_view=True), batch, parts)
                check(figures, f"loss_{parts}", off_by(loss, expected_loss), 1e-5)
                check(figures, f"gradient_{parts}", off_by(found, expected), 1e-4)
            processes = Processes(0, 2, bench.device)  # without a second process, sums are those of this one
            assert processes.any([True, False]) == (True, False)
            assert processes.broadcast_from_first("text") == "text"
        finally:
            distributed.destroy_process_group()


def resume(bench: Bench, figures: Figures) -> None:
    """Train, validate and calibrate by the project's loop, and resume after a stop: nearly the same weights."""
    steps = 2 if bench.quick else 4
    settings = {"steps": steps, "batch_size": 4, "validate_every": 2, "checkpoint_every": 1, "warmup_share": 0.5}
    processes = Processes(0, 1, bench.device)
    job = made.training_job(bench.folder, 512, "tiny", settings)
    whole = train(job, processes, {})
    stopped = copy.copy(job)
    object.__setattr__(stopped, "checkpoints", bench.folder / "stopped")
    object.__setattr__(stopped, "minutes", 1e-6)
    try:
        train(stopped, processes, {})
    except TimeBudgetError:
        figures["stopped"] = True
    object.__setattr__(stopped, "minutes", None)
    resumed = train(stopped, processes, {})
    assert whole is not None and resumed is not None and figures["stopped"]
    apart = [(a.loss - b.loss) / a.loss for a, b in zip(whole.history, resumed.history, strict=True)]
    figures["halo_px"] = whole.card.halo_px
    check(figures, "loss", max(map(abs, apart)), 0.02 if bench.is_cuda else 1e-6)


class Stepper:
    """The optimiser step of training, on a batch that is already on the device."""

    def __init__(self, bench: Bench, size: str, kind: str, batch_size: int, side_px: int) -> None:
        """Create network, optimiser and batch.

        Args:
            bench: with the device.
            size: of the network.
            kind: float32, tf32 (products as well as convolutions) or bfloat16; "bfloat16 compiled" compiles it.
            batch_size: crops.
            side_px: of a crop.
        """
        self.network = made.network(size).to(bench.device).train()
        settings = made.training_settings(batch_size=batch_size, crop_px=side_px, steps=10_000)
        network: Any = self.network if kind.startswith("bfloat16") else InFloat32(self.network)
        if kind.endswith("compiled"):
            network = torch.compile(network)
        self._products = kind == "tf32"
        scale = BandScale(names=("band",), mean=(0.0,), std=(1.0,))
        self.context = StepContext(
            network,
            objective(bench.device),
            new_optimiser(self.network, settings),
            BandScales(scale, scale),
            settings,
            Processes(0, 1, bench.device),
        )
        self._feed = itertools.repeat(made.batch(batch_size, side_px).to(bench.device))
        self._numbers = itertools.count()

    def __call__(self) -> None:
        """Do a step."""
        with tf32_products(self._products):
            train_step(self.context, self._feed, next(self._numbers))


def shape_of(bench: Bench) -> tuple[int, int]:
    """Return batch size and crop size of the measured steps."""
    return (1, 128) if bench.quick else (32, 256)


def steps(size: str, kinds: tuple[str, ...]) -> Callable[[Bench, Figures], None]:
    """Return a section that measures whole training steps of a network in several number types."""

    def section(bench: Bench, figures: Figures) -> None:
        batch_size, side_px = shape_of(bench)
        figures |= {"batch": batch_size, "crop_px": side_px}
        for kind in kinds[-1:] if bench.quick else kinds:
            if kind.endswith("compiled") and not bench.is_cuda:
                continue
            of = figures[kind] = {}
            measure_steps(bench, of, Stepper(bench, size, kind, batch_size, side_px), kind.split(" ")[0], batch_size)
            bench.free()

    section.__doc__ = f"Measure training steps of size {size}."
    return section


def measure_steps(bench: Bench, of: Figures, step: Stepper, rate: str, batch_size: int) -> None:
    """Fill in samples/s, TFLOP/s, the share of the matmul rate of the number type, and peak memory."""
    seconds = bench.seconds(step, budget_s=2.5)
    of |= {"ms": 1e3 * seconds, "samples_per_s": batch_size / seconds, "memory_gb": bench.peak_gb(step)}
    if step.context.ddp_network is step.network or isinstance(step.context.ddp_network, InFloat32):
        of["gflop_per_sample"] = operations(step) / batch_size / 1e9
        of["tflops"] = of["gflop_per_sample"] * of["samples_per_s"] / 1e3
        of["share_of_matmul"] = 1e12 * of["tflops"] / bench.rates[rate] if rate in bench.rates else None


def kernels(bench: Bench, figures: Figures) -> None:
    """Profile steps of base (quick: tiny) in bfloat16: ms of a step by kernel, and the share in which any runs.

    The profiler slows the host down, so `busy_share` is that of a step's time without it.
    """
    batch_size, side_px = shape_of(bench)
    step = Stepper(bench, "tiny" if bench.quick else "base", "bfloat16", batch_size, side_px)
    seconds, steps = bench.seconds(step, budget_s=1), 1 if bench.quick else 3

    def all_steps() -> None:
        for _ in range(steps):
            step()

    found = profiled(bench, all_steps)
    total = sum(found.kernels.values()) / steps
    figures |= {"step_ms": 1e3 * seconds, "profiled_step_ms": 1e3 * found.wall_s / steps, "kernels_ms": 1e3 * total}
    figures["busy_share"] = found.busy_s / steps / seconds if bench.is_cuda else None
    figures["top_ms"] = {name: milliseconds / steps for name, milliseconds in found.top().items()}
    for name, milliseconds in figures["top_ms"].items():
        print(f"  {milliseconds:>9.2f} ms {milliseconds / 1e3 / total:>7.1%}  {name}")


def layers(bench: Bench, figures: Figures) -> None:
    """Measure depthwise 7x7 convolution and LayerNorm in base's stages, by layout and number type, both passes."""
    batch_size, side_px = shape_of(bench)
    for stage in made.network("tiny" if bench.quick else "base").size.stages:
        side, width = side_px // stage.stride, stage.width
        of = figures[f"{side}x{side}x{width}"] = {}
        for name, dtype, layout in (
            ("bfloat16 last", torch.bfloat16, torch.channels_last),
            ("bfloat16 first", torch.bfloat16, torch.contiguous_format),
            ("float32 last", torch.float32, torch.channels_last),
        ):
            conv = nn.Conv2d(width, width, 7, padding=3, groups=width).to(bench.device, dtype).to(memory_format=layout)  # type: ignore[call-overload]
            x = torch.randn(batch_size, width, side, side, device=bench.device, dtype=dtype)
            x = x.contiguous(memory_format=layout).requires_grad_()
            of[f"conv {name} ms"] = 1e3 * both_passes(bench, conv, x)
        cells = torch.randn(batch_size, side, side, width, device=bench.device, dtype=torch.bfloat16)
        for dtype in (torch.bfloat16, torch.float32):
            norm = nn.LayerNorm(width, device=bench.device, dtype=dtype)
            of[f"norm {str(dtype)[6:]} ms"] = 1e3 * both_passes(bench, norm, cells.to(dtype).requires_grad_())


def both_passes(bench: Bench, layer: nn.Module, x: Tensor) -> float:
    """Return the time of a layer's forward and backward pass, seconds."""
    out = torch.ones_like(layer(x))

    def work() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(out)

    return bench.seconds(work, budget_s=0.15)


def data_wait(bench: Bench, figures: Figures) -> None:
    """Train on crops read from disk by the training data set; measure how long steps wait for them."""
    batch_size, side_px = shape_of(bench)
    number = 2 if bench.quick else 72
    job = made.training_job(
        bench.folder,
        512 if bench.quick else 2048,
        "tiny",
        {"batch_size": batch_size, "crop_px": side_px, "steps": number, "warmup_share": 0.5},
    )
    processes = Processes(0, 1, bench.device)
    settings = job.settings.training
    sampler = CropSampler(job.training_tiles, settings, job.settings.augmentation, job.settings.seed)
    crops = CropDataset(job.source(), sampler, settings, job.statistics)
    threads, workers = processes.reading_threads, min(16, usable_cpus())
    figures |= {"reading_threads": threads, "workers": workers}

    def numbers(steps: int) -> Iterator[range]:
        return (range(step * batch_size, (step + 1) * batch_size) for step in range(min(steps, number)))

    for size in SIZES[:1] if bench.quick else ("tiny", "base"):
        net = (new_network(job) if size == "tiny" else made.network(size)).to(bench.device)
        minimised = objective(bench.device)
        context = StepContext(net, minimised, new_optimiser(net, settings), job.scales, settings, processes)
        with closing(batches(crops, numbers(12), threads)) as feed:
            figures[f"{size}, threads"] = waiting(context, feed, min(12, number))
        if size == "tiny":  # each process imports PyTorch first
            continue
        with closing(batches_of_workers(crops, numbers(number), workers)) as feed:
            figures[f"{size}, processes"] = waiting(context, feed, number)


def waiting(context: StepContext, feed: Iterator[TrainingSample], steps: int) -> Figures:
    """Return the fraction of the steps' time spent waiting for crops, and samples/s.

    Only the second half of the steps counts, when the crops that were read in advance are used up.
    """
    rows = [train_step(context, feed, step) for step in range(steps)][steps // 2 :]
    seconds = sum(row.seconds for row in rows)
    samples = context.settings.batch_size * len(rows)
    return {"wait_share": sum(row.wait_seconds for row in rows) / seconds, "samples_per_s": samples / seconds}


def rift_speed(bench: Bench, figures: Figures) -> None:
    """Measure RIFT's forward and backward pass."""
    for side_px in (64,) if bench.quick else (128, 256):
        measure_rift(bench, figures, side_px, made.rift().to(bench.device))


def rift_compiled(bench: Bench, figures: Figures) -> None:
    """Measure RIFT compiled, on a GPU only, and how far its gradient is off."""
    if bench.is_cuda:
        measure_rift(bench, figures, 256, torch.compile(made.rift().to(bench.device), dynamic=False))


def measure_rift(bench: Bench, figures: Figures, side_px: int, form: Any) -> None:  # noqa: ANN401 - compiled or not
    """Fill in the time of both passes of a form of RIFT for 16 crops (quick: 2), and how far its gradient is off."""
    batch_size = 2 if bench.quick else 16
    of = figures[f"{batch_size}x{len(made.CLASS_PX)}x{side_px}x{side_px}"] = {}
    target = torch.randint(0, len(made.CLASS_PX), (batch_size, side_px, side_px), device=bench.device)
    logits = torch.randn(batch_size, len(made.CLASS_PX), side_px, side_px, device=bench.device)
    expected = rift_gradient(made.rift().to(bench.device), logits, target, bench.device)[1]
    work = functools.partial(rift_gradient, form, logits, target, bench.device)
    check(of, "gradient", off_by(work()[1], expected), 1e-4)
    of["ms"] = 1e3 * bench.seconds(work, budget_s=1)
