"""Integer window arithmetic on pixel grids. No I/O."""
