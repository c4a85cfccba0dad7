"""Points, shifts and sizes on a grid, whose fields are named so that rows and columns are not swapped.

odc-geo's `XY` puts x first, has no shifts and can't be unpacked; these are tuples in the order of array indexes.
"""

from typing import Generic, NamedTuple, TypeVar

Number = TypeVar("Number", int, float)


class Shift(NamedTuple, Generic[Number]):
    """A displacement in pixels: `dy` rows down and `dx` columns to the right."""

    dy: Number
    dx: Number


class Point(NamedTuple, Generic[Number]):
    """A place on a grid in pixels: row `y` and column `x`."""

    y: Number
    x: Number


class Size(NamedTuple, Generic[Number]):
    """A height and a width, in pixels or in the unit that is named where it is used."""

    height: Number
    width: Number
