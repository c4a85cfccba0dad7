"""Displacement between SAR and optical: match, fit, warp."""
