"""Training, in one or several processes."""
