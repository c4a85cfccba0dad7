"""Commands around a run: reasons and costs, status, keeping results, recovering after a kill; guards of runs."""
