"""The record of what a scene's cells consist of: products read, files inspected, grids and offsets decided."""

from dataclasses import replace

import numpy as np

from clairemap.artefacts.scene_sources import (
    OffsetEvidence,
    ResolvedBand,
    ResolvedRole,
    RoleName,
)
from clairemap.errors import BandCountError
from clairemap.settings import ResolvedOptical, ResolvedSar, ResolvedSensors
from clairemap.sources.grids import common_grid
from clairemap.sources.inspected import InspectedFile, inspected
from clairemap.sources.offsets import OffsetKey, decided
from clairemap.sources.product import BandFile, Evidence, MaskFile, Product
from clairemap.sources.readers import read_product
from clairemap.sources.resolved_cells import ResolvedCell


def resolve(cells: tuple[ResolvedCell, ...], sensors: ResolvedSensors, scene: str) -> dict[RoleName, ResolvedRole]:
    """Return the resolved roles of a scene. Reads metadata and downsamples each band.

    Raises:
        ClairemapError: a cell cannot be read, lacks a band, has bands that do not fit each other, or has an offset that
            cannot be decided.
    """
    roles: dict[RoleName, ResolvedRole] = {}
    for one in cells:
        if one.role in ("label", "cloud"):
            codes = _codes(one)
            if codes is not None:
                roles[one.role] = codes
        else:
            settings = sensors.optical if one.role == "optical" else sensors.sar
            roles[one.role] = _sensor(one, settings, scene)
    return roles


def _sensor(one: ResolvedCell, settings: ResolvedOptical | ResolvedSar, scene: str) -> ResolvedRole:
    product = read_product(one.cell, one.wanted)
    chosen = product.chosen(settings.names, one.cell.text)
    files = [_with_crs(inspected(one.cell, band), band) for band in chosen]
    grid = common_grid({band.file: file.grid for band, file in zip(chosen, files, strict=True)}, one.cell.text)
    key = OffsetKey.of(settings, scene)
    bands = tuple(
        _band(one, name, band, file, key, settings)
        for name, band, file in zip(settings.names, chosen, files, strict=True)
    )
    return ResolvedRole(
        reader=product.reader,
        cell=one.column,
        grid=grid,
        bands=bands,
        resampling=settings.resampling,
        # A stored 0 that becomes -1000 is no dark pixel.
        nodata_in_any=any(band.nodata_in_any for band in chosen) or any(band.offset for band in bands),
        unit=chosen[0].unit,
        facts=product.facts,
    )


def _with_crs(file: InspectedFile, band: BandFile) -> InspectedFile:
    """Return a file with the CRS of its metadata if it has none itself."""
    if file.grid.crs is not None or band.crs is None:
        return file
    return replace(file, grid=file.grid.model_copy(update={"crs": band.crs}))


def _band(
    one: ResolvedCell,
    name: str,
    band: BandFile,
    file: InspectedFile,
    key: OffsetKey,
    settings: ResolvedOptical | ResolvedSar,
) -> ResolvedBand:
    tags = _tag_evidence(band, file) if settings.apply_scale else ()
    # Metadata that state a scale mean the same one as the file's tag.
    scale = file.scale if settings.apply_scale and band.unit is None and band.scale == 1 else 1.0
    nodata = band.nodata if band.nodata is not None else file.nodata
    evidence = (*band.evidence, *tags)
    stored = file.sample[file.sample != nodata] if nodata is not None else file.sample.ravel()
    where = f"{one.cell.text}, band {name}"
    decision = decided(evidence, key, where, stored.astype(np.float64), band.scale)
    return ResolvedBand(
        name=name,
        file=band.file,
        number=band.number,
        grid=file.grid,
        dtype=file.dtype,
        block=file.block,
        nodata=nodata,
        scale=band.scale * scale,
        offset=decision.offset,
        offset_from=decision.decided_by,
        evidence=tuple(OffsetEvidence(statement=e.statement, offset=e.offset, where=e.where) for e in evidence),
        masked=file.masked,
        remote=file.remote,
    )


def _tag_evidence(band: BandFile, file: InspectedFile) -> tuple[Evidence, ...]:
    """Return the offset in GDAL's tags of a file: value = stored number * scale + offset."""
    if (file.scale, file.offset) == (1, 0):
        return ()
    return (
        Evidence("add", f"{band.file}: tags scale {file.scale:g}, offset {file.offset:g}", file.offset / file.scale),
    )


def _codes(one: ResolvedCell) -> ResolvedRole | None:
    """Return labels, or the cloud mask of a product; None if it has none and none was asked for."""
    product = read_product(one.cell, one.wanted) if one.cell.is_resolved else None
    mask = None if product is None else next(iter(product.masks.values()), None)
    if product is None or mask is None:
        if not one.is_required:
            return None
        raise BandCountError(
            f"{one.cell.text}: has no cloud mask or scene classification (Sentinel-2 L1C has none); name a mask in the "
            "column cloud, or leave it empty"
        )
    return _mask_role(one, product, mask)


def _mask_role(one: ResolvedCell, product: Product, mask: MaskFile) -> ResolvedRole:
    file = inspected(one.cell, mask)
    band = ResolvedBand(
        name=one.role,
        file=mask.file,
        number=mask.number,
        grid=file.grid,
        dtype=file.dtype,
        block=file.block,
        nodata=file.nodata,
        scale=1.0,
        offset=0.0,
        offset_from="codes",
        masked=file.masked,
        remote=file.remote,
    )
    return ResolvedRole(
        reader=product.reader,
        cell=one.column,
        grid=file.grid,
        bands=(band,),
        resampling="nearest",
        nodata_in_any=False,
        coding=mask.coding,
        facts=product.facts,
    )
