"""The training loop, on one or many processes."""
