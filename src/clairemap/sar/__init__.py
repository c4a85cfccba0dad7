"""SAR backscatter: scales, plausible values and speckle."""
