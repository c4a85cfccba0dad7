"""Reading windows of rasters, the Zarr stores between stages, writing Cloud-Optimized GeoTIFFs."""
