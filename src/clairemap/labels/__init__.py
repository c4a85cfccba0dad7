"""Polygons of vector files burnt into a label raster on a scene's grid."""
