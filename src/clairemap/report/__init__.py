"""The report page, its figures, and what describes the maps to other programs."""
