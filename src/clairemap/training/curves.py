"""Training curves for TensorBoard, an optional package."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from clairemap.artefacts.history import HistoryStep
from clairemap.errors import SettingsError

Draw = Callable[[HistoryStep], None]


@contextmanager
def tensorboard_curves(folder: Path | None, steps_done: int) -> Iterator[Draw]:
    """Return a context with a function that adds a row of the history to the curves in a folder.

    Args:
        folder: used by this run only, None for no curves; points of a killed run after `steps_done` are hidden.
        steps_done: number of steps done before this start.

    Raises:
        SettingsError: TensorBoard is not installed.
    """
    if folder is None:
        yield lambda _: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter  # optional, so imported only if needed
    except ImportError:
        raise SettingsError(
            "compute.tensorboard is true, but TensorBoard is not installed; run pip install tensorboard in the "
            "training environment, or set compute.tensorboard to false"
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    with SummaryWriter(str(folder), purge_step=steps_done + 1) as writer:

        def draw(row: HistoryStep) -> None:
            values = asdict(row)
            step = values.pop("step")
            for name, value in values.items():
                if value is not None:
                    group = "validation" if name.startswith("val_") else "training"
                    writer.add_scalar(f"{group}/{name.removeprefix('val_')}", value, step)

        yield draw
