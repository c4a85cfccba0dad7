"""Row of the tile index from a tile's pixels."""

from clairemap.artefacts.tiles import TileRow
from clairemap.classes import IGNORE_INDEX
from clairemap.grid.tiles import Tile
from clairemap.raster.histogram import histogram
from clairemap.raster.pair_block import PairBlock
from clairemap.tiles.copies import content_hash
from clairemap.validity import Validity, has_none, mappable, optical_usable, sar_usable


def tile_row(scene: str, tile: Tile, block: PairBlock, classes: int) -> TileRow:
    """Return the row of a tile from its layers; `classes` is the number of classes."""
    validity, label = block.validity, block.label
    is_mappable = mappable(validity)
    class_px = histogram(label[is_mappable & (label != IGNORE_INDEX)])[:classes]
    return TileRow(
        scene=scene,
        row=tile.row,
        col=tile.col,
        y0=tile.window.y0,
        x0=tile.window.x0,
        height=tile.window.height,
        width=tile.window.width,
        valid_px=int(is_mappable.sum()),
        optical_px=int(optical_usable(validity).sum()),
        sar_px=int(sar_usable(validity).sum()),
        cloud_px=int((~has_none(validity, Validity.CLOUD)).sum()),
        cloud_unknown_px=int((~has_none(validity, Validity.CLOUD_UNKNOWN)).sum()),
        labelled_px=int(class_px.sum()),
        class_px=tuple(int(count) for count in class_px),
        optical_hash=content_hash(block.optical, has_none(validity, Validity.OPTICAL_NODATA)),
        sar_hash=content_hash(block.sar, has_none(validity, Validity.SAR_NODATA)),
    )
