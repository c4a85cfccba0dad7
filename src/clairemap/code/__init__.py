"""Hashes of a stage's code, definition by definition: what a script reaches by name, without what changes no result."""
