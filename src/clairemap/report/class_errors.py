"""The largest error of each class, and how many pixels of each tile have it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clairemap.artefacts.metrics import RegionMetrics
from clairemap.artefacts.tiles import TileId
from clairemap.metrics.tally import read_tallies


@dataclass(frozen=True)
class ClassError:
    """Pixels with the label `label` that are mapped as `mapped`; both are indices of classes.

    `share` is their share of the class's labelled pixels or, if `is_false`, of the pixels mapped as the class.
    """

    label: int
    mapped: int
    share: float
    is_false: bool


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


def largest_error(metrics: RegionMetrics, index: int) -> ClassError | None:
    """Return where most of a class's wrong pixels are: mapped as another class, or of another class mapped as it.

    None without a wrong pixel or with too few labelled pixels.
    """
    row, confusion = metrics.per_class[index], metrics.confusion
    if row.too_few or not row.truth_px or not confusion:
        return None
    others = [other for other in range(len(confusion)) if other != index]
    missed = max(others, key=lambda other: confusion[index][other], default=index)
    false = max(others, key=lambda other: confusion[other][index], default=index)
    if not others or not max(confusion[index][missed], confusion[false][index]):
        return None
    if confusion[index][missed] >= confusion[false][index]:
        return ClassError(index, missed, confusion[index][missed] / row.truth_px, is_false=False)
    return ClassError(false, index, confusion[false][index] / max(row.map_px, 1), is_false=True)
