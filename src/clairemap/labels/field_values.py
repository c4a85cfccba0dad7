"""Classes of the values in a column of polygons."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from clairemap.classes import IGNORE_INDEX, SourceLegend, source_key

UNMAPPED_INDEX = 253
"""Index of values that belong to no class and are not ignored."""

Value = int | float | str


class FieldClasses:
    """Class index of each value: `IGNORE_INDEX` for ignored values, `UNMAPPED_INDEX` for unknown ones.

    A class has the values in its `from`, or else its code and its name. Numbers and their texts are equal.
    """

    def __init__(self, legend: SourceLegend, ignored_names: Iterable[str] = ()) -> None:
        """Collect the values of all classes; a code or a value in `from` goes before a name."""
        self._index: dict[str, int] = {}
        for index, land_cover in enumerate(legend.classes):
            self._index |= dict.fromkeys(map(source_key, land_cover.sources or (land_cover.code,)), index)
        ignored: tuple[int | str, ...] = (*legend.ignore, *ignored_names)
        for key in map(source_key, ignored):
            self._index.setdefault(key, IGNORE_INDEX)
        for index, land_cover in enumerate(legend.classes):
            if not land_cover.sources:
                self._index.setdefault(source_key(land_cover.name), index)

    def index(self, value: Value) -> int:
        """Return the index of a value."""
        return self._index.get(source_key(value), UNMAPPED_INDEX)

    def indices(self, values: Iterable[Value]) -> NDArray[np.uint8]:
        """Return the index of each value."""
        return np.array([self.index(value) for value in values], np.uint8)
