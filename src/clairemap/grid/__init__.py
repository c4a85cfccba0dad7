"""Pixel grids: windows, tiles, coordinates, mappings between grids, outlines on the Earth. No I/O."""
