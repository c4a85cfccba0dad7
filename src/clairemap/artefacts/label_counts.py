"""What was burnt of a scene's polygons: ``label.json``."""

from pathlib import Path

from clairemap.artefacts.document import DocumentModel, read_document, write_document


class ValueCount(DocumentModel):
    """A value of the column: code of its class (None: ignored), number of its features, and their pixels."""

    value: str
    code: int | None
    features: int
    px: int


class LabelCounts(DocumentModel):
    """Counts of a scene's polygons and pixels, and what was read.

    Attributes:
        scene: name of the scene.
        file: name of the vector file.
        layer: its layer.
        field: column with the codes or names; None if all polygons have one class.
        crs: CRS of the layer.
        reprojected: whether the scene has another CRS.
        features: number of features of the layer.
        outside: features that do not touch the scene, or have no geometry.
        burnt: features with a class that touch the scene.
        no_value: features without a value: not labelled.
        ignored: features with an ignored value: not labelled.
        not_polygons: points, lines and other features without an area near the scene: not used.
        unusable: features whose geometry cannot be read or reprojected: not used.
        repaired: features with an outline that crosses or overlaps itself on the grid; it is filled by the even-odd
            rule. Faults that change no pixel are not counted.
        without_pixel: burnt features that contain no pixel centre.
        values: the values of the column.
        class_px: labelled pixels of each class code.
        overlap_px: pixels in polygons of different classes: not labelled.
        unlabelled_px: all pixels without a label.
        pixels_sha256: hash of the label raster's pixels.
        stamp: what `clairemap.provenance.stamp` returns.
    """

    scene: str
    file: str
    layer: str
    field: str | None
    crs: str
    reprojected: bool
    features: int
    outside: int
    burnt: int
    no_value: int
    ignored: int
    not_polygons: int
    unusable: int
    repaired: int
    without_pixel: int
    values: tuple[ValueCount, ...]
    class_px: dict[int, int]
    overlap_px: int
    unlabelled_px: int
    pixels_sha256: str
    stamp: dict[str, str]


def write_label_counts(path: Path, counts: LabelCounts) -> None:
    """Write the counts as JSON, atomically."""
    write_document(path, counts)


def read_label_counts(path: Path) -> LabelCounts:
    """Return the counts of a scene.

    Raises:
        StoreError: the file is missing or damaged.
    """
    return read_document(path, LabelCounts, "label counts file", "burn_labels")
