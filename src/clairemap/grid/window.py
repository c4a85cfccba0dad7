"""A rectangle of pixels."""

from dataclasses import dataclass

from clairemap.grid.rounding import ceil_div


@dataclass(frozen=True)
class Window:
    """Rows ``y0 .. y0+height-1`` and columns ``x0 .. x0+width-1`` of a grid; may extend beyond it."""

    y0: int
    x0: int
    height: int
    width: int

    @classmethod
    def whole(cls, shape: tuple[int, int]) -> "Window":
        """Return the window that covers a grid of (height, width)."""
        return cls(0, 0, *shape)

    @property
    def y1(self) -> int:
        """First row below the window."""
        return self.y0 + self.height

    @property
    def x1(self) -> int:
        """First column right of the window."""
        return self.x0 + self.width

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    @property
    def text(self) -> str:
        """First and last rows and columns, for messages."""
        return f"rows {self.y0}-{self.y1 - 1}, columns {self.x0}-{self.x1 - 1}"

    @property
    def is_empty(self) -> bool:
        """Whether the window contains no pixel."""
        return self.height <= 0 or self.width <= 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices for an array of the whole grid."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def moved(self, dy: int, dx: int) -> "Window":
        """Return the window moved by whole pixels, down and to the right."""
        return Window(self.y0 + dy, self.x0 + dx, self.height, self.width)

    def grown(self, margin_px: int) -> "Window":
        """Return the window enlarged by a margin on all sides."""
        return Window(self.y0 - margin_px, self.x0 - margin_px, self.height + 2 * margin_px, self.width + 2 * margin_px)

    def clipped(self, shape: tuple[int, int]) -> "Window":
        """Return the part of the window inside a grid of (height, width); may be empty."""
        return self.intersection(Window.whole(shape))

    def intersection(self, other: "Window") -> "Window":
        """Return the pixels in both windows; height or width is 0 if there are none."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        y1, x1 = min(self.y1, other.y1), min(self.x1, other.x1)
        return Window(y0, x0, max(0, y1 - y0), max(0, x1 - x0))

    def coarsened(self, factor: int) -> "Window":
        """Return the cells of a grid `factor` times as coarse that contain any of the pixels."""
        y0, x0 = self.y0 // factor, self.x0 // factor
        return Window(y0, x0, ceil_div(self.y1, factor) - y0, ceil_div(self.x1, factor) - x0)

    def refined(self, factor: int) -> "Window":
        """Return the same rectangle on a grid `factor` times as fine."""
        return Window(self.y0 * factor, self.x0 * factor, self.height * factor, self.width * factor)

    def relative_to(self, other: "Window") -> "Window":
        """Return the window relative to the upper left corner of `other`."""
        return Window(self.y0 - other.y0, self.x0 - other.x0, self.height, self.width)
