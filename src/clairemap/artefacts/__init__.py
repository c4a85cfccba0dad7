"""The files that stages write: one model for the writer and all readers, a module for each file."""
