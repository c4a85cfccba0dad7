"""What users do around a run: recover after a kill; guards against runs that disturb each other."""
