"""Points, shifts and sizes on a grid, with named fields so that rows and columns cannot be swapped.

Unlike odc-geo's `XY` these are tuples, in the order of array indices.
"""

from typing import Generic, NamedTuple, TypeVar

Number = TypeVar("Number", int, float)


class Shift(NamedTuple, Generic[Number]):
    """A displacement in pixels: `dy` down and `dx` to the right."""

    dy: Number
    dx: Number


class Point(NamedTuple, Generic[Number]):
    """A position on a grid in pixels: row `y` and column `x`."""

    y: Number
    x: Number


class Size(NamedTuple, Generic[Number]):
    """A height and a width, in pixels unless another unit is given."""

    height: Number
    width: Number
