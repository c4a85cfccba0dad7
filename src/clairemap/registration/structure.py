"""Edge structure: position and orientation of edges, common to optical and SAR images of the same ground."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from clairemap.validity import Mask

Structure = NDArray[np.complex64]

GRADIENT_SIGMA_PX = 1.0
"""Sigma of the gradients. On three optical-SAR pairs with control points, 1.0 displaces edges less than 1.5 and 2.0."""

SMOOTHING_SIGMA_PX = 1.0
"""Sigma for averaging orientations, so that edges can match without being on the same pixel."""

REACH_SIGMAS = 3.0
"""Truncation radius of the Gaussians, in sigmas."""

CLEAR_EDGE_SHARE = 0.5
"""Share of the typical gradient below which an edge gets less weight: flat ground has only noise."""

MEDIAN_STEP = 3
"""Medians are computed from every n-th value."""

GRADIENT_REACH_PX = math.ceil(REACH_SIGMAS * GRADIENT_SIGMA_PX)
STRUCTURE_REACH_PX = GRADIENT_REACH_PX + math.ceil(REACH_SIGMAS * SMOOTHING_SIGMA_PX)
"""Margin around a window that `edge_structure` needs."""


def edge_structure(bands: NDArray[np.float32], valid: Mask) -> Structure:
    """Return the edge structure (y, x) of bands (band, y, x): complex64, modulus below 1.

    The angle is twice the gradient's, so that the sign of the contrast does not matter. The modulus is the edge's
    clarity relative to the window's typical gradient. All bands have the same weight, whatever their units. The
    structure is 0 where a gradient would use invalid pixels, and everywhere in an image without gradients.

    Source: double-angle orientation vectors (Granlund 1978; Bigün 1987).
    """
    inner = _far_from_invalid(valid)
    total = np.zeros(valid.shape, np.complex64)
    clarity = np.zeros(valid.shape, np.float32)
    for band in bands:
        gradient = _gradient(band, valid)
        size = np.abs(gradient)
        usual = _typical(size, inner)
        if usual > 0:
            total += gradient * gradient * (inner / (usual * np.maximum(size, usual * 1e-6))).astype(np.float32)
            clarity += size * (inner / np.float32(usual))
    around = _smooth(clarity)
    usual = _typical(around, inner)
    if usual == 0:
        return np.zeros(valid.shape, np.complex64)
    smooth = _smooth(total.real) + 1j * _smooth(total.imag)
    return np.where(inner, smooth / (around + CLEAR_EDGE_SHARE * usual), 0).astype(np.complex64)


def _far_from_invalid(valid: Mask) -> Mask:
    if valid.all():
        return valid
    inner: Mask = ndimage.minimum_filter(valid, 2 * GRADIENT_REACH_PX + 1, mode="constant", cval=True)
    return inner


def _typical(size: NDArray[np.float32], inner: Mask) -> float:
    """Return the median, or the mean if more than half are 0; 0 if all are."""
    inside = size[inner][::MEDIAN_STEP]
    return float(np.median(inside) or inside.mean()) if inside.size else 0.0


def _gradient(band: NDArray[np.float32], valid: Mask) -> NDArray[np.complex64]:
    level = float(band[valid].mean()) if valid.any() else 0.0
    filled = np.where(valid, band - level, 0).astype(np.float32)
    across, down = (
        ndimage.gaussian_filter(filled, GRADIENT_SIGMA_PX, order=order, mode="nearest", truncate=REACH_SIGMAS)
        for order in ((0, 1), (1, 0))
    )
    return (across + 1j * down).astype(np.complex64)


def _smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(values, SMOOTHING_SIGMA_PX, mode="nearest", truncate=REACH_SIGMAS)
