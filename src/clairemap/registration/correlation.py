"""Correlation of two windows of edge structure at all shifts, ignoring invalid pixels."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from clairemap.grid.points import Shift

CorrelationSurface = NDArray[np.float32]
"""Correlation at shifts -max..max (y, x): ``surface[max + dy, max + dx]``."""


MIN_OVERLAP = 0.1
"""Minimum share of the template's structure on valid pixels; the correlation at other shifts is 0."""

NO_SHIFT = Shift(0.0, 0.0)

PEAK_RADIUS_PX = 5
"""Values within this distance belong to the peak: edges are about 3 px wide."""


def correlation_surface(
    template: NDArray[np.complex64], search: NDArray[np.complex64], max_shift_px: int
) -> CorrelationSurface:
    """Return the normalised correlation (-1..1) of a template with a search window at each whole-pixel shift.

    Each shift is normalised by the structure valid in both windows, so invalid pixels do not change the value.

    Args:
        template: structure (h, w); 0 where invalid.
        search: structure (h + 2 max, w + 2 max) around the template's position; 0 where invalid.
        max_shift_px: maximum shift; ``surface[max + dy, max + dx]`` compares the template with ``search`` content
            displaced by (dy, dx).
    """
    template, here = _centred(template)
    search, there = _centred(search)
    size = [scipy.fft.next_fast_len(side) for side in search.shape]
    lags = slice(0, 2 * max_shift_px + 1)
    product = np.conj(scipy.fft.fft2(template, size)) * scipy.fft.fft2(search, size)
    match = scipy.fft.ifft2(product)[lags, lags].real
    energy = [
        np.maximum(scipy.fft.irfft2(np.conj(scipy.fft.rfft2(a, size)) * scipy.fft.rfft2(b, size), size)[lags, lags], 0)
        for a, b in ((_power(template), there), (here, _power(search)))
    ]
    scale = np.sqrt(energy[0] * energy[1])
    least = MIN_OVERLAP * float(_power(template).sum())
    surface = np.divide(match, scale, out=np.zeros_like(match), where=scale > max(least, 1e-9))
    return np.asarray(surface, np.float32)


def _centred(structure: NDArray[np.complex64]) -> tuple[NDArray[np.complex64], NDArray[np.float32]]:
    """Return structure minus its mean, and 1 where valid: a common direction of all edges is not evidence."""
    present = structure != 0
    mean = structure[present].mean() if present.any() else 0
    return np.where(present, structure - mean, 0).astype(np.complex64), present.astype(np.float32)


def _power(structure: NDArray[np.complex64]) -> NDArray[np.float32]:
    return (structure.real**2 + structure.imag**2).astype(np.float32)


@dataclass(frozen=True)
class Peak:
    """Best shift on a surface, in pixels, and its distinctness.

    `strength` is the difference to the highest value elsewhere, in standard deviations of the surface; 0 is ambiguous.
    """

    dy: float
    dx: float
    strength: float


def highest_peak(surface: CorrelationSurface) -> Peak:
    """Return a surface's highest peak, refined to subpixels by a paraboloid through the 3 x 3 values around it."""
    centre = surface.shape[0] // 2
    row, col = (int(index) for index in np.unravel_index(int(np.argmax(surface)), surface.shape))
    beyond = _subpixel_shift(surface, row, col)
    return Peak(row - centre + beyond.dy, col - centre + beyond.dx, _strength(surface, row, col))


def _subpixel_shift(surface: CorrelationSurface, row: int, col: int) -> Shift[float]:
    """Return the offset of the least-squares paraboloid's maximum from the highest value; 0 at the surface's edge."""
    if not (0 < row < surface.shape[0] - 1 and 0 < col < surface.shape[1] - 1):
        return NO_SHIFT
    patch = surface[row - 1 : row + 2, col - 1 : col + 2].astype(np.float64)
    slope_y, slope_x = (patch[2] - patch[0]).mean() / 2, (patch[:, 2] - patch[:, 0]).mean() / 2
    bend_y = (patch[0] - 2 * patch[1] + patch[2]).mean()
    bend_x = (patch[:, 0] - 2 * patch[:, 1] + patch[:, 2]).mean()
    twist = (patch[2, 2] - patch[2, 0] - patch[0, 2] + patch[0, 0]) / 4
    determinant = bend_y * bend_x - twist**2
    if determinant <= 0 or bend_y >= 0:
        return NO_SHIFT  # a ridge or a saddle has no maximum
    down = (twist * slope_x - bend_x * slope_y) / determinant
    right = (twist * slope_y - bend_y * slope_x) / determinant
    return Shift(float(np.clip(down, -1, 1)), float(np.clip(right, -1, 1)))


def _strength(surface: CorrelationSurface, row: int, col: int) -> float:
    y, x = np.ogrid[: surface.shape[0], : surface.shape[1]]
    elsewhere = surface[np.maximum(np.abs(y - row), np.abs(x - col)) > PEAK_RADIUS_PX]
    if not elsewhere.size or elsewhere.std() == 0:
        return 0.0
    return float((surface[row, col] - elsewhere.max()) / elsewhere.std())
