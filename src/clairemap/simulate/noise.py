"""Deterministic random fields: functions of position and seed.

They hash integer lattice points, so there is no random state and no seam between windows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clairemap.grid.coordinates import Coordinates

NoiseField = NDArray[np.float32]
LatticeIndex = NDArray[np.int64]
Identity = NDArray[np.uint32]

_GRADIENTS = np.exp(2j * np.pi * np.arange(64) / 64).astype(np.complex64)  # x + iy
_GRADIENT_GAIN = 1.6  # scales gradient noise from about ±0.62 to about ±1


@dataclass(frozen=True)
class Positions:
    """Positions in a plane, metres; `x` and `y` have the same shape."""

    x: Coordinates
    y: Coordinates

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `x` and `y`."""
        return self.x.shape

    def shifted(self, dx_m: float | NoiseField, dy_m: float | NoiseField) -> "Positions":
        """Return the shifted positions; shifts in metres."""
        return Positions(self.x + dx_m, self.y + dy_m)

    def warped(self, wavelength_m: float, reach_m: float, seed: int) -> "Positions":
        """Return the positions shifted by smooth noise of up to about `reach_m` (domain warping)."""
        return self.shifted(
            reach_m * gradient_noise(self, wavelength_m, seed),
            reach_m * gradient_noise(self, wavelength_m, seed + 1),
        )


@dataclass(frozen=True)
class Cells:
    """The Voronoi cell of each position: hashed identity, its point in metres, distance to that point."""

    identity: Identity
    x: Coordinates
    y: Coordinates
    distance_m: Coordinates


def hashed(a: NDArray[np.integer], b: NDArray[np.integer], seed: int) -> Identity:
    """Return a 32-bit hash of each pair of integers (finaliser of MurmurHash3)."""
    mixed = a.astype(np.uint32) * np.uint32(0x9E3779B1)
    mixed ^= b.astype(np.uint32) * np.uint32(0x85EBCA77)
    mixed += np.uint32(seed * 0xC2B2AE3D & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed ^= mixed >> np.uint32(shift)
        mixed *= np.uint32(factor)
    return mixed ^ (mixed >> np.uint32(16))


def uniform(identity: Identity, seed: int) -> NoiseField:
    """Return a uniform number in [0, 1) for each identity, independent between seeds."""
    bits = hashed(identity, identity >> np.uint32(7), seed)
    return (bits >> np.uint32(8)).astype(np.float32) * 2.0**-24


def gradient_noise(at: Positions, wavelength_m: float, seed: int) -> NoiseField:
    """Return smooth noise of one wavelength, in about [-1, 1] with mean 0 (Perlin 2002)."""
    x, y = at.x / wavelength_m, at.y / wavelength_m
    column, row = np.floor(x), np.floor(y)
    u, v = (x - column).astype(np.float32), (y - row).astype(np.float32)
    table, first = _gradients(column.astype(np.int64), row.astype(np.int64), seed)

    def corner(i: int, j: int) -> NoiseField:
        gradient = table.take(first + (j * table.shape[1] + i))
        slope: NoiseField = gradient.real * (u - i) + gradient.imag * (v - j)
        return slope

    across, down = _quintic(u), _quintic(v)
    upper = corner(0, 0)
    upper += across * (corner(1, 0) - upper)
    lower = corner(0, 1)
    lower += across * (corner(1, 1) - lower)
    return _GRADIENT_GAIN * (upper + down * (lower - upper))


def _gradients(column: LatticeIndex, row: LatticeIndex, seed: int) -> tuple[NDArray[np.complex64], NDArray[np.int64]]:
    """Return the gradients of the lattice points around some squares, and the index of each square's first corner."""
    left, top = int(column.min()), int(row.min())
    columns, rows = np.meshgrid(np.arange(left, int(column.max()) + 2), np.arange(top, int(row.max()) + 2))
    table = _GRADIENTS[hashed(columns, rows, seed) % np.uint32(len(_GRADIENTS))]
    return table, (row - top) * table.shape[1] + (column - left)


def _quintic(t: NoiseField) -> NoiseField:
    return t * t * t * (t * (t * 6 - 15) + 10)


def fractal_noise(at: Positions, wavelength_m: float, octaves: int, seed: int) -> NoiseField:
    """Return noise with detail down to ``wavelength_m / 2**(octaves - 1)``, in about [-1, 1] with mean 0."""
    total = np.zeros(at.shape, np.float32)
    weight = 1.0
    for octave in range(octaves):
        total += weight * gradient_noise(at, wavelength_m / 2**octave, seed + 101 * octave)
        weight /= 2
    return total / (2 - 2 * weight)


@dataclass(frozen=True)
class PointLattice:
    """The points of a jittered square lattice around some positions, row by row."""

    identity: Identity  # (points,)
    x: Coordinates  # (points,) in metres
    y: Coordinates
    columns: int  # points in a row
    square: NDArray[np.int64]  # for each position, index of the point of its lattice square

    @classmethod
    def around(cls, at: Positions, size_m: float, jitter: float, seed: int) -> "PointLattice":
        """Return the points within two lattice squares of any position.

        Args:
            at: the positions.
            size_m: spacing of the lattice, metres.
            jitter: maximum offset of a point from the centre of its square, as a fraction of `size_m`; below 0.5.
            seed: seed of the lattice.
        """
        column = np.floor(at.x / size_m).astype(np.int64)
        row = np.floor(at.y / size_m).astype(np.int64)
        left, top = int(column.min()) - 2, int(row.min()) - 2
        columns, rows = np.meshgrid(np.arange(left, int(column.max()) + 3), np.arange(top, int(row.max()) + 3))
        identity = hashed(columns, rows, seed).ravel()
        x = (columns.ravel() + 0.5 + jitter * (2 * uniform(identity, 1).astype(np.float64) - 1)) * size_m
        y = (rows.ravel() + 0.5 + jitter * (2 * uniform(identity, 2).astype(np.float64) - 1)) * size_m
        return cls(identity, x, y, columns.shape[1], (row - top) * columns.shape[1] + (column - left))

    def neighbours(self) -> Iterator[NDArray[np.int64]]:
        """Yield, for each position, the indices of its square's point and of the eight points around it."""
        for j in (-1, 0, 1):
            for i in (-1, 0, 1):
                yield self.square + (j * self.columns + i)


def cells(at: Positions, size_m: float, jitter: float, seed: int) -> Cells:
    """Return the nearest point of a jittered square lattice for each position; arguments as `PointLattice.around`."""
    lattice = PointLattice.around(at, size_m, jitter, seed)
    nearest = lattice.square
    square_m2 = np.full(at.shape, np.inf)
    for point in lattice.neighbours():
        candidate_m2 = (at.x - lattice.x.take(point)) ** 2 + (at.y - lattice.y.take(point)) ** 2
        nearest = np.where(candidate_m2 < square_m2, point, nearest)
        np.minimum(square_m2, candidate_m2, out=square_m2)
    return Cells(lattice.identity.take(nearest), lattice.x.take(nearest), lattice.y.take(nearest), np.sqrt(square_m2))


def smooth_step(values: NoiseField, start: float, stop: float) -> NoiseField:
    """Return 0 below `start`, 1 above `stop`, and a smooth transition between them."""
    t: NoiseField = np.clip((values - start) / (stop - start), 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)
