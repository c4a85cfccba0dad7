"""Simulated scenes with known truth."""
