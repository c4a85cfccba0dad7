"""Burning of a layer's polygons into a raster of class codes."""

import hashlib
import shlex
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from clairemap.classes import IGNORE_INDEX, MAP_NODATA, Legend
from clairemap.disk import disk_full, is_disk_full
from clairemap.errors import LabelError
from clairemap.grid.window import Window
from clairemap.labels.canvas import OVERLAP, Canvas
from clairemap.labels.features import NO_VALUE, Features, Layer
from clairemap.labels.field_values import UNMAPPED_INDEX, FieldClasses
from clairemap.labels.outlines import GridOutliner, Outlines
from clairemap.labels.scanlines import Spans, spans_inside
from clairemap.provenance import temporary_beside, written_whole
from clairemap.raster.opening import open_raster
from clairemap.raster.source import rasterio_window

BLOCK_PX = 512
"""Size of the raster's blocks; it is written in rows of blocks."""

AHEAD = 2
"""Batches per thread that are read before they are painted."""


@dataclass
class BurnTally:
    """Counts of features and pixels, summed over batches; `values` has features and pixels by value."""

    read: int = 0
    on_grid: int = 0
    burnt: int = 0
    no_value: int = 0
    ignored: int = 0
    not_polygons: int = 0
    unusable: int = 0
    repaired: int = 0
    without_pixel: int = 0
    values: dict[int | float | str, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, batch: "PreparedBatch") -> None:
        """Add the counts of a batch."""
        found, on_grid = batch.outlines, batch.outlines.on_grid
        self.read += len(on_grid)
        self.on_grid += int(on_grid.sum())
        self.not_polygons += int(found.not_polygons.sum())
        self.unusable += int(found.unusable.sum())
        self.repaired += int(found.repaired(batch.spans.irregular).sum())
        self.no_value += int((on_grid & batch.lacks_value).sum())
        self.ignored += int((on_grid & ~batch.lacks_value & (batch.index == IGNORE_INDEX)).sum())
        burnt = on_grid & batch.has_class
        self.burnt += int(burnt.sum())
        self.without_pixel += int((burnt & (batch.feature_px == 0)).sum())
        for number, value in enumerate(batch.features.values):
            mine = on_grid & (batch.features.position == number)
            if mine.any():
                counts = np.array([mine.sum(), batch.feature_px[mine].sum()])
                self.values[value] = self.values.get(value, np.zeros(2, np.int64)) + counts


@dataclass(frozen=True)
class PreparedBatch:
    """A batch of features with its spans; `index` and `feature_px` are by position of the feature."""

    features: Features
    outlines: Outlines
    spans: Spans
    index: NDArray[np.uint8]
    lacks_value: NDArray[np.bool_]
    feature_px: NDArray[np.int64]

    @property
    def has_class(self) -> NDArray[np.bool_]:
        """Which features have a class."""
        return self.index < UNMAPPED_INDEX

    def paint(self, canvas: Canvas) -> None:
        """Paint the features that have a class."""
        chosen = self.has_class[self.outlines.feature[self.spans.polygon]]
        canvas.paint(self.spans.chosen(chosen), self.index[self.outlines.feature])


@dataclass(frozen=True)
class Burner:
    """Burns the features of a layer into a grid.

    Attributes:
        grid: of the scene.
        layer: of the vector file.
        column: column with the values; None: all features have the class `constant`.
        classes: class of each value.
        constant: class index of all features, without a column.
        threads: number of threads that prepare batches.
    """

    grid: GeoBox
    layer: Layer
    column: str | None
    classes: FieldClasses
    constant: int = IGNORE_INDEX
    threads: int = 1

    def burn(self, canvas: Canvas) -> BurnTally:
        """Paint all features on a canvas, each read once, and return their counts.

        Memory: a few batches of features (`features.FEATURES_AT_ONCE`) for each thread.

        Raises:
            GridError: no transformation between the CRSs is known.
            LabelError: the column does not exist, or contains neither numbers nor text; or geometries are curves.
            UnreadableFileError: the file is damaged.
        """
        outliner, tally = GridOutliner(self.grid, self.layer.crs, self.layer.extent), BurnTally()
        for batch in self._prepared(outliner, self.layer.read(outliner.box, self.column)):
            tally.add(batch)
            batch.paint(canvas)
        return tally

    def _prepared(self, outliner: GridOutliner, batches: Iterable[Features]) -> Iterator[PreparedBatch]:
        """Yield the prepared batches in their order; some are prepared in advance by threads."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting: deque[Future[PreparedBatch]] = deque()
            for features in batches:
                waiting.append(pool.submit(self._prepare, outliner, features))
                if len(waiting) > AHEAD * self.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _prepare(self, outliner: GridOutliner, features: Features) -> PreparedBatch:
        try:
            outlines = outliner.outlines(features.wkb)
        except NotImplementedError:  # of shapely
            name = shlex.quote(str(self.layer.path))
            raise LabelError(
                f"{self.layer.text}: contains curves, which are not supported; convert them to lines: "
                f"ogr2ogr -nlt CONVERT_TO_LINEAR labels.gpkg {name}"
            ) from None
        spans = spans_inside(outlines.rings, self.grid.shape.yx)
        lengths = spans.stop - spans.start
        pixels = np.bincount(outlines.feature[spans.polygon], lengths, len(features.wkb)).astype(np.int64)
        lacks_value = (features.position == NO_VALUE) & (self.column is not None)
        of_values = np.append(self.classes.indices(features.values), self.constant).astype(np.uint8)
        index = np.where(lacks_value, IGNORE_INDEX, of_values[features.position]).astype(np.uint8)
        return PreparedBatch(features, outlines, spans, index, lacks_value, pixels)


def scratch_canvas(target: Path, grid: GeoBox) -> Canvas:
    """Return an empty canvas whose scratch file is beside a target.

    Raises:
        DiskFullError: no space is left.
    """
    try:
        return Canvas(temporary_beside(target), grid.shape.yx)
    except OSError as error:
        if is_disk_full(error):
            raise disk_full(target) from error
        raise


@dataclass(frozen=True)
class WrittenPixels:
    """Number of pixels by class code, of overlaps, without a label (overlaps included); hash of all pixels."""

    class_px: dict[int, int]
    overlap_px: int
    unlabelled_px: int
    sha256: str


def write_codes(target: Path, canvas: Canvas, grid: GeoBox, legend: Legend, tags: dict[str, str]) -> WrittenPixels:
    """Write the canvas as a GeoTIFF of the map's class codes; pixels without a label are nodata.

    Memory: one row of blocks.

    Raises:
        DiskFullError: no space is left.
    """
    codes = np.full(256, MAP_NODATA, np.uint8)
    codes[: len(legend)] = legend.codes
    counts, digest = np.zeros(256, np.int64), hashlib.sha256()
    height, width = canvas.shape
    with written_whole(target) as temporary, open_raster(
        temporary, "w", driver="GTiff", dtype="uint8", count=1, height=height, width=width,
        crs=grid.crs.to_wkt() if grid.crs else None, transform=grid.transform, nodata=MAP_NODATA, tiled=True,
        blockxsize=BLOCK_PX, blockysize=BLOCK_PX, compress="DEFLATE", zlevel=1, bigtiff="IF_SAFER",
    ) as file:  # fmt: skip
        file.update_tags(**tags)
        for y0 in range(0, height, BLOCK_PX):
            window = Window(y0, 0, min(BLOCK_PX, height - y0), width)
            indices = canvas.read(window)
            counts += np.bincount(indices.ravel(), minlength=256)
            values = codes[indices]
            digest.update(values.tobytes())
            file.write(values, 1, window=rasterio_window(window))
    return WrittenPixels(
        {c.code: int(counts[index]) for index, c in enumerate(legend.classes)},
        int(counts[OVERLAP]),
        int(counts[OVERLAP] + counts[IGNORE_INDEX]),
        digest.hexdigest(),
    )
