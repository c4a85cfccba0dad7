"""Backscatter in decibels and speckle."""
