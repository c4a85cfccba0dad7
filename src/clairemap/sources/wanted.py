"""What the settings want of a cell: bands by name, and patterns of their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clairemap.sources.cells import Role


@dataclass(frozen=True)
class Wanted:
    """Bands that a role needs, in the order of the settings.

    Attributes:
        role: of the cell. For label and cloud, `bands` is empty: a raster of codes is wanted.
        bands: names in the settings, `sensors.*.bands`.
        patterns: pattern of the file of a band, by name, `sensors.*.files`; may be empty.
        indexes: 1-based numbers of the bands in one remote raster, `sensors.*.indexes`; None: all bands.
    """

    role: Role
    bands: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(default_factory=dict)
    indexes: tuple[int, ...] | None = None
