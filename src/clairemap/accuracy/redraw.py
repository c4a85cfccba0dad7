"""What becomes of a sample that was drawn before: it never changes after a new map, since people may be at work on it.

Forced reruns and deleted outputs run `draw_sample` again, perhaps with another map.
"""

from collections.abc import Sequence
from pathlib import Path

from clairemap.artefacts.sample_design import SampleDesign, read_sample_design
from clairemap.errors import SampleError
from clairemap.settings import AccuracySettings

DRAW_AGAIN = (
    "to draw a sample of this map, move the files of the old one to another folder (docs/areas.md, 'The design', lists "
    "them)"
)


def earlier_design(paths: Sequence[Path]) -> SampleDesign | None:
    """Return the design in the first file that exists; None without one.

    Raises:
        StoreError: the file is damaged.
    """
    return next((read_sample_design(path) for path in paths if path.exists()), None)


def check_unchanged(earlier: SampleDesign, chosen: AccuracySettings, files: Sequence[Path]) -> None:
    """Check that the settings do not ask for another sample than that of an earlier map.

    Only settings that are plainly different count: sizes from the half-width depend on the map.

    Raises:
        SampleError: they do.
    """
    values = (
        ("seed", chosen.seed, earlier.seed, chosen.seed != earlier.seed),
        ("distance_px", chosen.distance_px, earlier.distance_px, chosen.distance_px != earlier.distance_px),
        ("units", chosen.units, len(earlier.units), (chosen.units or 0) > len(earlier.units)),
    )
    changed = [f"{name} {new} instead of {old}" for name, new, old, differs in values if differs]
    if changed:
        raise SampleError(
            f"{earlier.map}: the map has changed since its sample was drawn, so the sample cannot change too, but "
            f"accuracy has {', '.join(changed)}. Restore the settings; or move {', '.join(map(str, files))} to another "
            "folder, to draw a sample of the new map"
        )
