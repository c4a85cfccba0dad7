"""The report page, its figures, and the files that describe the maps to other programs."""
