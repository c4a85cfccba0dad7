"""Size of the page: how many bytes its pictures may use."""

from dataclasses import dataclass


@dataclass
class Budget:
    """Bytes that pictures may still use."""

    left: int

    def allows(self, size: int) -> bool:
        """Return whether this many bytes are left."""
        return size <= self.left

    def use(self, size: int) -> None:
        """Subtract bytes. A first picture of each layer is always shown, so the rest can be negative."""
        self.left -= size
