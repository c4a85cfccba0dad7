"""The largest error of each class, and how many pixels of each tile have it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.artefacts.metrics import ClassError, RegionMetrics, largest_error
from clairemap.artefacts.tiles import TileId
from clairemap.metrics.tally import read_tallies


@dataclass(frozen=True)
class ClassErrors:
    """The largest error of each class, None if there is none, and the pixels with these errors.

    Attributes:
        of_class: by class.
        pairs: label and mapped class of these errors, each once.
        of_tile: numbers of errors in `pairs`, with the number of pixels, of each tile that has any.
    """

    of_class: tuple[ClassError | None, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    of_tile: Mapping[TileId, list[tuple[int, int]]] = field(default_factory=dict)

    def number(self, error: ClassError) -> int:
        """Return the number of an error in `pairs`."""
        return self.pairs.index((error.label, error.mapped))


def class_errors(metrics: RegionMetrics, scores: Iterable[Path]) -> ClassErrors:
    """Return the errors of the classes with enough labelled pixels, from the metrics and the scenes' score tables.

    Memory: the score table of one scene.
    """
    found = [largest_error(metrics, index) for index in range(len(metrics.per_class))]
    pairs = sorted({(error.label, error.mapped) for error in found if error})
    of_tile = {}
    for path in scores:
        for tile in read_tallies(path, len(metrics.per_class)):
            counts = [(number, int(tile.counts.confusion[pair])) for number, pair in enumerate(pairs)]
            if any(px for _, px in counts):
                of_tile[tile.id] = [(number, px) for number, px in counts if px]
    return ClassErrors(tuple(found), tuple(pairs), of_tile)
