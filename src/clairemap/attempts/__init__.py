"""Attempts of jobs: their records in the logs, causes of failures, retries, memory of the next attempt, summary.

Everything here uses only the standard library: ``python -m clairemap.attempts`` starts every stage.
"""
