"""Commands around a run: what would run and why, how far it is, and keeping results after a change of the code."""
